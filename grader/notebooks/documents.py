"""From the bytes of an `.ipynb` file to the sources of its code cells, whatever state the file is in."""

from __future__ import annotations

import json
from typing import Any

from grader.notebooks.foreign import NotANotebookError, refuse_what_is_something_else, why_no_json
from grader.text import clean

MAX_BYTES = 256 << 20
"""Of the file, with all outputs."""
MAX_CELLS = 2000
"""Code cells."""

_MOST_VALUES = 16_000_000
_MOST_CONTAINERS = 4_000_000
_NEWEST = 4
_TEXT_CELLS = frozenset({"markdown", "raw", "html", "heading", "text"})
_OTHER_KERNELS = {
    **{
        "ir": "R",
        "xr": "R",
        "julia": "Julia",
        "bash": "Bash",
        "octave": "Octave",
        "matlab": "MATLAB",
        "scala": "Scala",
    },
    **{"javascript": "JavaScript", "tslab": "TypeScript", "deno": "TypeScript", "java": "Java", "ijava": "Java"},
    **{"xcpp11": "C++", "xcpp14": "C++", "xcpp17": "C++", "xcpp20": "C++", "gophernotes": "Go", "gonb": "Go"},
    **{"evcxr": "Rust", "rust": "Rust", ".net-csharp": "C#", ".net-fsharp": "F#", "kotlin": "Kotlin", "ruby": "Ruby"},
}

_Object = dict[str, Any]
_Repairs = dict[str, None]
"""Sentences, each once, in the order they were noticed."""


def code_cells(content: bytes) -> tuple[list[str], tuple[str, ...]]:
    """Return what stands in each code cell, with newlines as line ends, and what had to be repaired to find out.

    Raises:
        NotANotebookError: it is no notebook, none in Python, or larger than is read.
    """
    repairs: _Repairs = {}
    document = _document(content, repairs)
    cells, version = _cells(document, repairs)
    metadata = _metadata(document, repairs)
    cells = [_completed(cell, version, repairs) for cell in _code_only(cells, repairs)]
    if language := _other_language(metadata, cells):
        raise NotANotebookError(
            f"it is a notebook in {clean(language, limit=40, keep_newlines=False)}; hand in one in Python"
        )
    if len(cells) > MAX_CELLS:
        raise NotANotebookError(f"it has more than {MAX_CELLS} code cells; hand in one with fewer")
    sources = [_tidy(source, repairs) for source in _converted(cells, version)]
    if not any(map(str.strip, sources)):
        raise NotANotebookError("it holds no code; write the solution into code cells, save it and hand it in again")
    return sources, tuple(repairs)


# -- from bytes to JSON ------------------------------------------------------------------------------------------------


def _document(content: bytes, repairs: _Repairs) -> _Object:
    if len(content) > MAX_BYTES:
        raise NotANotebookError(
            f"it is larger than {MAX_BYTES >> 20} MiB; clear the outputs, save it and hand it in again"
        )
    refuse_what_is_something_else(content)
    text = _decoded(content, repairs)
    containers = text.count("{") + text.count("[")
    if containers > _MOST_CONTAINERS or containers + text.count(",") > _MOST_VALUES:
        raise NotANotebookError("it holds too many values to be read; clear the outputs, save it and hand it in again")
    try:
        # As a float, a number of a million digits costs nothing; and outputs hold control characters now and then.
        document = json.loads(text, parse_int=float, strict=False)
    except json.JSONDecodeError as error:
        raise NotANotebookError(why_no_json(text, error)) from None
    except RecursionError:
        raise NotANotebookError(
            "its outputs or metadata are nested too deeply; clear the outputs, save it and hand it in again"
        ) from None
    except (ValueError, MemoryError):
        raise NotANotebookError("it cannot be read; clear the outputs, save it and hand it in again") from None
    if not isinstance(document, dict):
        raise NotANotebookError(_NO_NOTEBOOK)
    return document


_NO_NOTEBOOK = "it is JSON, but no notebook: there are no cells in it; save the notebook in Jupyter and hand that in"


def _decoded(content: bytes, repairs: _Repairs) -> str:
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        repairs["characters that are not UTF-8 were replaced"] = None
        return content.decode(encoding, errors="replace").removeprefix("\ufeff")


# -- from JSON to code cells -------------------------------------------------------------------------------------------


def _cells(document: _Object, repairs: _Repairs) -> tuple[list[Any], int]:
    """The cells of all kinds, and the version of the format they are in."""
    cells, sheets = document.get("cells"), document.get("worksheets")
    if isinstance(sheets, list) and not cells:
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in _list(sheet.get("cells"))]
        known = (2, 3)
    elif isinstance(cells, list):
        known = (1, _NEWEST)
    else:
        raise NotANotebookError(_NO_NOTEBOOK)
    given = document.get("nbformat")
    version = int(given) if isinstance(given, float) and given in known else known[-1]
    if given is None:
        repairs[f"the version of the notebook format was missing; {version} was assumed"] = None
    elif given != version:
        repairs[f"the notebook was read as one of format {version}, which it is closest to"] = None
    elif version != _NEWEST:
        repairs[f"the notebook was converted from the old format {version}"] = None
    if version == _NEWEST:
        _note_ids(cells, document.get("nbformat_minor"), repairs)
    return cells, version


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _note_ids(cells: list[Any], minor: object, repairs: _Repairs) -> None:
    ids = [cell.get("id") for cell in cells if isinstance(cell, dict)]
    named = [name for name in ids if isinstance(name, str) and name]
    if len(named) < len(ids) and isinstance(minor, float) and minor >= 5:
        repairs["cells without an id were given one"] = None
    if len(set(named)) < len(named):
        repairs["cells that shared an id were given new ones"] = None


def _metadata(document: _Object, repairs: _Repairs) -> _Object:
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        return metadata
    repairs["the notebook's metadata was missing"] = None
    return {}


def _code_only(cells: list[Any], repairs: _Repairs) -> list[_Object]:
    found: list[_Object] = []
    for cell in cells:
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        if not isinstance(cell, dict):
            repairs["entries that are no cells were left out"] = None
        elif kind == "code":
            found.append(cell)
        elif isinstance(kind, str) and kind.strip().lower() == "code":
            repairs["the type of code cells was misspelt"] = None
            found.append(cell)
        elif kind is None and (cell.keys() & {"outputs", "execution_count", "input"}):
            repairs["cells without a type were taken for code where they have an output"] = None
            found.append(cell)
        elif kind not in _TEXT_CELLS if isinstance(kind, str) else True:
            repairs["cells of an unknown type were left out"] = None
    return found


def _completed(cell: _Object, version: int, repairs: _Repairs) -> _Object:
    """The cell's source and language; everything else about it is dropped here, above all its outputs."""
    if version == _NEWEST:
        for key in ("metadata", "outputs", "execution_count"):
            if key not in cell:
                repairs[f"code cells without {key} were completed"] = None
    names = ("source", "input", "code") if version == _NEWEST else ("input", "code", "source")
    source = next((cell[name] for name in names if name in cell), None)
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        if len(source) > 1 and not any("\n" in line for line in source):
            repairs["lines without line ends were given them"] = None
            source = "\n".join(source)
        source = "".join(source)
    if not isinstance(source, str):
        repairs["code cells without source were taken as empty"] = None
        source = ""
    return {"source": source, "language": None if version == _NEWEST else cell.get("language")}


def _converted(cells: list[_Object], version: int) -> list[str]:
    """Let nbformat bring the cells into its newest format."""
    # Imported here: it takes longer than everything else the command needs to start.
    import nbformat

    plain = {"cell_type": "code", "metadata": {}, "outputs": []}
    if version == _NEWEST:
        nodes = [
            {**plain, "id": f"cell-{number}", "execution_count": None, "source": cell["source"]}
            for number, cell in enumerate(cells, 1)
        ]
        body: _Object = {"cells": nodes, "metadata": {}, "nbformat_minor": 5}
    else:
        name = "code" if version == 1 else "input"
        nodes = [{**plain, "language": "python", "collapsed": False, name: cell["source"]} for cell in cells]
        body = {"worksheets": [{"metadata": {}, "cells": nodes}], "metadata": {"name": ""}, "nbformat_minor": 0}
        body = {"cells": nodes} if version == 1 else body
    node = nbformat.from_dict({"nbformat": version, **body})  # type: ignore[no-untyped-call]
    converted = nbformat.convert(node, _NEWEST)  # type: ignore[no-untyped-call]
    return [cell.source for cell in converted.cells]


def _tidy(source: str, repairs: _Repairs) -> str:
    text = source.encode(errors="replace").decode()
    if text != source:
        repairs["halves of characters were replaced by question marks"] = None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _other_language(metadata: _Object, cells: list[_Object]) -> str:
    """The language a notebook is in, when that is not Python."""
    spec, info = metadata.get("kernelspec"), metadata.get("language_info")
    spec, info = spec if isinstance(spec, dict) else {}, info if isinstance(info, dict) else {}
    given = [info.get("name"), spec.get("language"), metadata.get("language"), *(cell["language"] for cell in cells)]
    named = [one.strip() for one in given if isinstance(one, str) and one.strip()]
    if named:
        return "" if any("py" in one.lower() for one in named) else named[0]
    kernel = str(spec.get("name")).lower()
    return _OTHER_KERNELS.get(kernel) or ("Julia" if kernel.startswith("julia-") else "")
