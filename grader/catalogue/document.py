"""The catalogue as one Markdown page: what `grade explain --markdown` prints, and `docs/findings.md` holds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grader.catalogue import ALIKE, CATALOGUE, GROUP_TITLES, Alike, Entry, Group, Told

INTRODUCTION = """\
# Findings

Every mistake that a report can name, by its id. `grade explain ID` prints one of them in the terminal, and
`grade explain` lists all. This page is printed by `grade explain --markdown`; it is made from `grader/catalogue`.

**How a mistake is told.** A name is claimed only when it is *proven* or *observed*:

- *proven*: the output agrees, up to rounding, with that of the reference which has this mistake built in, alone or
  together with others that are named, and with no other known variant of it;
- *observed*: it was seen directly, in what the code raised, returned, called, changed or left behind.

What behaviour cannot tell is listed [at the end](#what-behaviour-cannot-tell), with the reason. Mistakes that are the
same function of the input [look alike](#mistakes-that-look-alike) and are named together.

**What costs nothing.** Some findings are no mistakes: correct code may have them, and they are only worth knowing.
They say so, and why.
"""

MARKUP = re.compile(r"([\\`*_<|])")
"""Characters that mean something in Markdown and stand for themselves in the catalogue."""


def render() -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, *_contents(), *_groups(), *_untold(), *_alike()))


def render_entry(entry: Entry) -> str:
    """One mistake, as a section of the page."""
    return "\n".join(_entry(entry))


def _contents() -> Iterator[str]:
    yield "## Contents\n"
    for group, title in GROUP_TITLES.items():
        links = ", ".join(_link(entry.id) for entry in CATALOGUE.values() if entry.group is group)
        yield f"- **{title}**: {links}"
    yield ""


def _groups() -> Iterator[str]:
    for group in Group:
        yield f"## {GROUP_TITLES[group]}\n"
        for entry in CATALOGUE.values():
            if entry.group is group:
                yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    yield f"### {_anchor(entry.id)}{entry.id}\n"
    yield f"**{_plain(entry.title)}.** {_plain(entry.explanation)}\n"
    yield f"- **Why it matters:** {_plain(entry.why)}"
    yield f"- **Where to look:** {_plain(entry.look)}"
    yield f"- **What correct looks like:** {_plain(entry.right)}"
    yield f"- **How it is told:** {_told(entry)}"
    if entry.harmless:
        yield f"- **Costs nothing:** {_plain(entry.harmless)}"
    for alike in ALIKE:
        if entry.id in alike.ids:
            others = " and ".join(_link(id_) for id_ in alike.ids if id_ != entry.id)
            yield f"- **Looks like** {others}{_when(alike)}"
    yield ""


def _told(entry: Entry) -> str:
    return f"not at all. {_plain(entry.reason)}" if entry.told is Told.UNTOLD else f"{entry.told}."


def _when(alike: Alike) -> str:
    return f": {_plain(alike.when[0].lower() + alike.when[1:])}" if alike.when else ", always."


def _untold() -> Iterator[str]:
    yield "## What behaviour cannot tell\n"
    yield "| id | what it would be | why it is not told |"
    yield "|---|---|---|"
    for entry in CATALOGUE.values():
        if entry.told is Told.UNTOLD:
            yield f"| {_link(entry.id)} | {_plain(entry.title)} | {_plain(entry.reason)} |"
    yield ""


def _alike() -> Iterator[str]:
    yield "## Mistakes that look alike\n"
    yield "| ids | when they are the same function |"
    yield "|---|---|"
    for alike in ALIKE:
        yield f"| {', '.join(map(_link, alike.ids))} | {_plain(alike.when or 'Always.')} |"
    yield ""


def _anchor(id_: str) -> str:
    """An anchor of its own for an id that is not the anchor its heading has by itself, which is in small letters."""
    return "" if id_.islower() else f'<a id="{id_}"></a>'


def _link(id_: str) -> str:
    return f"[{id_}](#{id_})"


def _plain(text: str) -> str:
    return MARKUP.sub(r"\\\1", text)
