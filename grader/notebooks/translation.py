r"""The Python of a code cell: what only IPython understands is replaced, and every line keeps its number.

Theory of operation. What Python parses is left alone, so `%` and `?` in strings and expressions are never touched. Of
the rest, the line that a syntax error is in is looked at: `!pip install`, `%matplotlib inline` or `nn.Linear?` become
`pass`, and parsing is tried again. An error in any other line is the student's, and then the cell is no Python at all.
"""

from __future__ import annotations

import ast
import re
import warnings
from itertools import islice
from textwrap import dedent

from grader.text import clean

_MOST_ROUNDS = 100
_MOST_WRAPPERS = 10
_MOST_TOKENS = 400_000
_MOST_PARSED = 1_000_000
"""Tokens, of one cell and of all that is parsed; a syntax tree takes some 500 bytes for each."""
_LONGEST_SHOWN = 120

_WRAPPERS = frozenset({"time", "timeit", "capture", "prun", "memit", "debug"})
"""Cell magics whose body is ordinary Python that runs in the notebook."""

_AUTOMAGIC = frozenset(
    {"pip", "conda", "mamba", "uv", "cd", "ls", "ll", "pwd", "mkdir", "rm", "cp", "mv", "cat", "run", "load_ext"}
    | {"matplotlib", "pylab", "autoreload", "reload_ext", "env", "config", "who", "whos", "time", "timeit", "precision"}
)
"""Magics that are usually written without `%`, which IPython accepts when it is the only line of a cell."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_CELL_MAGIC = re.compile(r"%%\s*(\w*)")
_HELP = re.compile(r"%{0,2}[\w.*\[\]-]+\?{1,2}")
_ASSIGNED = re.compile(r"([\w\s,.*()\[\]'\"]+)=\s*[!%](?!=)")
_TIME = re.compile(r"%time\s+(?!-)(.+)")
_PROMPT = re.compile(r">>>|In \[\d+\]:")
_PROMPTS = re.compile(r"(?:>>>|\.\.\.|In \[\d+\]:|\s*\.{3,}:)(?: |$)")
_INSTALL = re.compile(
    r"[!%]{1,2}.*?\b(?:pip[\d.]*|conda|mamba|micromamba|uv|poetry|apt|apt-get|brew)\b.*?\b(?:install|add|update|upgrade)\b"
)


class Translator:
    """Translates the cells of one notebook, with bounded effort for all of them together.

    Attributes:
        notes: sentences on what is left out, in the order of the cells.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._left = _MOST_PARSED
        self._gave_up = False

    def python(self, source: str, number: int) -> str | None:
        """Return the same lines as Python, or None when the cell is none: another language, or a syntax error."""
        self._gave_up = False
        python = self._python(source, number)
        if python is None and self._gave_up:
            self.notes.append(f"cell {number} is too large to be looked into before it runs")
        return python

    def _python(self, source: str, number: int) -> str | None:
        if not self._error(source):
            return source
        lines = _without_decoration(source)
        for _ in range(_MOST_WRAPPERS):
            first = next(filter(str.strip, lines), "")
            magic = _CELL_MAGIC.match(first)
            if not magic:
                break
            if magic[1] not in _WRAPPERS:
                self._note_foreign(first, magic[1], number)
                return None
            lines[lines.index(first)] = ""
        if "\n" not in source.strip() and _AUTOMAGIC.intersection(source.split(maxsplit=1)[:1]):
            lines = [f"%{line}" if line.strip() else "" for line in lines]
        for _ in range(_MOST_ROUNDS):
            python = "\n".join(lines)
            error = self._error(python)
            if not error:
                return python
            if not self._replace(lines, error - 1, number):
                break
        return None

    def _error(self, source: str) -> int:
        """The line of the first syntax error; 0 when there is none, and a line that does not exist when unknown."""
        unknown = source.count("\n") + 2
        tokens = sum(1 for _ in islice(_TOKEN.finditer(source), _MOST_TOKENS + 1))
        if tokens > min(_MOST_TOKENS, self._left):
            self._gave_up = True
            return unknown
        self._left -= tokens
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(source)
        except SyntaxError as error:
            return error.lineno or unknown
        except (ValueError, RecursionError, MemoryError):
            return unknown
        return 0

    def _replace(self, lines: list[str], index: int, number: int) -> bool:
        """Replace the line at `index`, if it is IPython's, and those directly below it that begin like it."""
        start = index
        while index < len(lines) and (index == start or lines[index].lstrip()[:1] in ("!", "%")):
            replacement = self._replacement(lines[index])
            if replacement is None:
                break
            self._note_install(lines[index].strip(), number)
            continues, lines[index] = lines[index].endswith("\\"), replacement
            index += 1
            while continues and index < len(lines):
                continues, lines[index] = lines[index].endswith("\\"), ""
                index += 1
        return index > start

    def _replacement(self, line: str) -> str | None:
        text = line.strip()
        indent = line[: line.find(text)] if text else ""
        timed, assigned = _TIME.fullmatch(text), _ASSIGNED.match(text)
        if timed and not self._error(timed[1]):
            return indent + timed[1]  # what it assigns is there afterwards
        if text.startswith(("!", "%", "?")) or _HELP.fullmatch(text):
            return f"{indent}pass"
        return f"{indent}{assigned[1].rstrip()} = None" if assigned else None

    def _note_foreign(self, line: str, magic: str, number: int) -> None:
        shown = clean(line.strip(), limit=_LONGEST_SHOWN, keep_newlines=False)
        written = "; the file it writes is not graded, so hand that in as well" if magic == "writefile" else ""
        self.notes.append(f"cell {number} is not Python ({shown}){written}")

    def _note_install(self, line: str, number: int) -> None:
        if found := _INSTALL.search(line[:1000]):
            shown = clean(line[found.start() :].rstrip("\\ "), limit=_LONGEST_SHOWN, keep_newlines=False)
            self.notes.append(
                f"cell {number}: `{shown}` was not run; there is no network while grading, "
                "and the usual packages are installed"
            )


def _without_decoration(source: str) -> list[str]:
    """Take away what IPython takes away: an indentation that the whole cell has, and the prompts of pasted sessions."""
    first = next(filter(str.strip, source.split("\n")), "")
    lines = (dedent(source) if first.startswith((" ", "\t")) else source).split("\n")
    if _PROMPT.match(first.lstrip()):
        lines = [_PROMPTS.sub("", line, count=1) if _PROMPTS.match(line) else line for line in lines]
    return lines
