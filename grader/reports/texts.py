"""The words of the reports, by key, all in one file for each language: `languages/<language>.toml`.

Templates and code name a text and give it what is to stand in its places: `say("check.not-yet", title=...)`. A key
that does not exist, or a place for which nothing was given, is an error and never an empty sentence. To translate the
reports is to write one file with the same keys; what findings say is in `grader.catalogue`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

LANGUAGE: Final = "en"
_PLURAL: Final = frozenset({"one", "other"})


class Plural(str):
    """A text that has another form for exactly one: it is chosen by the value `n`."""

    __slots__ = ("one",)
    one: str

    def __new__(cls, other: str, one: str) -> Plural:
        """The usual form, and that for exactly one."""
        made = super().__new__(cls, other)
        made.one = one
        return made


class Texts(Mapping[str, str]):
    """All texts of one language, by keys such as `check.not-yet`: the tables and the name in the file."""

    def __init__(self, tables: Mapping[str, Any], language: str = LANGUAGE) -> None:
        self.language = language
        self._texts = dict(_flat(tables))

    def __getitem__(self, key: str) -> str:
        try:
            return self._texts[key]
        except KeyError:
            raise KeyError(f"there is no text called {key!r} in the language {self.language!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def form(self, key: str, values: Mapping[str, object]) -> str:
        """The text of a key with its places open: of a plural, the form for the value of `n`."""
        text = self[key]
        return text.one if isinstance(text, Plural) and str(values["n"]) == "1" else str(text)

    def say(self, key: str, /, **values: object) -> str:
        """The text of a key with these values in its places. Raises `KeyError` where the key or a value is missing."""
        return self.form(key, values).format(**values)


def load(language: str) -> Texts:
    """The texts of a language, as its file has them."""
    return Texts(
        tomllib.loads((files("grader.reports") / "languages" / f"{language}.toml").read_text("utf-8")), language
    )


def _flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tables.items():
        if isinstance(value, str):
            yield prefix + name, value
        elif value.keys() == _PLURAL:
            yield prefix + name, Plural(value["other"], value["one"])
        else:
            yield from _flat(value, f"{prefix}{name}.")


TEXTS: Final = load(LANGUAGE)
"""The texts of the language that reports are written in."""
