"""Where the code of a running kernel stands: the cells that were run, or the module that a class was imported from."""

from __future__ import annotations

import hashlib
import inspect
import json
import linecache
import sys
from pathlib import Path
from typing import Any, Final

from grader.model import SourceFile, Submission
from grader.notebooks import MAX_CODE, NotANotebookError, read
from grader.serving import Listing

NOTEBOOK: Final = "this notebook"
"""What the cells that were run are called, as a file."""


def shell() -> Any:
    """The running IPython, or None."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def sources(target: Any) -> tuple[Submission, dict[str, Listing]]:
    """The code around a class, as if it had been handed in, and its lines by the file names in tracebacks.

    Without a class, or with one that was made in a cell, it is all cells that were run; the last of a name counts.
    """
    file = _own_file(target)
    if file is not None:
        content = file.read_bytes()
        listing = Listing(file.name, content.decode(errors="replace").splitlines())
        return submission(SourceFile(path=file.name, content=content)), {str(file): listing}
    if (running := shell()) is not None:
        found, listings = _cells(running)
        return submission(*found), listings
    return submission(), {}


def submission(*files: SourceFile) -> Submission:
    """Files as if they had been handed in."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.path}\n{len(file.content)}\n".encode() + file.content)
    return Submission(student="kernel", origin=Path(), files=files, digest=digest.hexdigest())


def declared(name: str) -> SourceFile:
    """A file that says of a class no more than its name: for one whose source nobody has."""
    return SourceFile(path=NOTEBOOK, content=f"import torch\n\nclass {name}(torch.nn.Module): ...\n".encode())


def _own_file(target: Any) -> Path | None:
    """The file that a class was written in, unless that is a cell."""
    module = sys.modules.get(getattr(target, "__module__", ""), None)
    name = getattr(module, "__file__", None)
    if target is None or name is None or not inspect.isclass(target):
        return None
    file = Path(name)
    return file if file.suffix == ".py" and file.is_file() else None


def _cells(running: Any) -> tuple[tuple[SourceFile, ...], dict[str, Listing]]:
    """The cells under the numbers that stand before them, and the lines of each.

    Those that were run too long ago for all to be read are left blank.
    """
    history: list[str] = list(running.history_manager.input_hist_raw)[1:]
    room = MAX_CODE // 2
    for place in range(len(history) - 1, -1, -1):
        room -= len(history[place].encode("utf-8", "replace")) + 1
        if room < 0:
            history[place] = ""
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in history]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    listings = {
        name: Listing(NOTEBOOK, [line.rstrip("\n") for line in linecache.getlines(name)], number)
        for name, number in getattr(running.compile, "_filename_map", {}).items()
    }
    try:
        notebook = read(json.dumps(document).encode())
    except NotANotebookError:
        return (), listings
    return (SourceFile(path=NOTEBOOK, content=notebook.content, cells=notebook.cells),), listings
