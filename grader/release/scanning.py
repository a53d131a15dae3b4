"""Looks through a finished pack for what must not be in it.

The pack is made from what may be in it; this looks for what may not, without knowing how the pack was made. White space
plays no part, so that neither another indentation nor another line break hides anything, and of a notebook every text
in its JSON is looked at as well as its bytes.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

SHORTEST: Final = 9
"""Characters, white space left out, of a line that says enough to be recognised."""

SALT: Final = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{64}(?![0-9a-fA-F])")
"""What the file of stored attempts derives all random inputs from."""

FORBIDDEN: Final = frozenset({".git", "__pycache__", ".ipynb_checkpoints", ".pytest_cache", "solutions", "accepted"})
SUFFIXES: Final = frozenset({".py", ".ipynb", ".md", ".toml", ".html", ".txt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What must not be in a pack.

    Attributes:
        names: of hidden checks and of what only they use.
        lines: lines of code and sentences, with white space left out.
    """

    names: frozenset[str]
    lines: Mapping[str, str]


def secrets(
    *, withheld: Iterable[str], shown: Iterable[str], removed: Iterable[str], starter: str, hidden: Iterable[str]
) -> Secrets:
    """Find out what is secret.

    Args:
        withheld: parts of files of checks that students must not see; `shown` those that they may.
        removed: the lines of the solution; `starter` is what was left.
        hidden: names of hidden checks, whoever mentions them.
    """
    known = squeezed("\n".join(shown))
    names = set(hidden)
    lines: dict[str, str] = {}
    for part in withheld:
        names |= set(_names(part))
        lines |= {line: "a line of a hidden check" for line in _telling(part) if line not in known}
    given = squeezed(starter)
    for line in _telling("\n".join(removed)):
        if line not in given:
            lines[line] = "a line of the solution"
    return Secrets(names=frozenset(names), lines=lines)


def leaks(files: Mapping[str, bytes], known: Secrets) -> tuple[str, ...]:
    """Everything in these files that must not be there: a sentence each, with the file."""
    return tuple(
        sorted({f"{name}: {what}" for name, content in files.items() for what in _leaks(name, content, known)})
    )


def squeezed(text: str) -> str:
    """The text without its white space."""
    return "".join(text.split())


def _leaks(name: str, content: bytes, known: Secrets) -> Iterator[str]:
    path = PurePosixPath(name)
    if FORBIDDEN & set(path.parts) or path.suffix not in SUFFIXES or path.is_absolute() or ".." in path.parts:
        yield "a file of this kind does not belong into a pack"
    for text in _texts(name, content):
        dense = squeezed(text)
        for line, what in known.lines.items():
            if line in dense:
                yield f"{what}: {line}"
        for secret in known.names & set(re.findall(r"\w+", text)):
            yield f"the name of a hidden check, or of what only hidden checks use: {secret}"
        if SALT.search(text):
            yield "64 hexadecimal digits, as a salt has"


def _texts(name: str, content: bytes) -> Iterator[str]:
    text = content.decode("utf-8", "surrogateescape")
    yield text
    if name.endswith(".ipynb"):
        yield "\n".join(_strings(json.loads(text)))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _strings(each)


def _names(part: str) -> Iterator[str]:
    """What a part of a file of checks defines at its top level."""
    for node in ast.parse(part).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def _telling(code: str) -> Iterator[str]:
    """The lines that say enough to be recognised, squeezed, each without the comment behind it."""
    comments = _comments(code)
    for number, line in enumerate(code.splitlines(), 1):
        column = comments.get(number)
        alone = column is not None and not line[:column].strip()
        text = squeezed(line if column is None or alone else line[:column]).strip("\"'#")
        if len(text) >= SHORTEST and re.search(r"\w{3}", text):
            yield text


def _comments(code: str) -> dict[int, int]:
    """Line and column of each comment, as far as the code can be read; parts of a file may not end where it does."""
    found: dict[int, int] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.start[1]
    except (tokenize.TokenError, IndentationError):
        pass
    return found
