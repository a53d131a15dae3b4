"""`grade explain`: what a finding means, and where to look."""

from __future__ import annotations

import difflib
import json
import shutil
import textwrap
from collections.abc import Iterator
from typing import Final

import click

from grader.catalogue import ALIKE, CATALOGUE, GROUP_TITLES, TOLD_SENTENCES, Entry, Told
from grader.cli.exits import Exit
from grader.errors import ConfigurationError

WIDEST: Final = 100
"""Columns; longer lines are hard to read."""

MOST_SUGGESTIONS: Final = 5


@click.command(short_help="Say what a finding means, and where to look.")
@click.argument("finding", required=False, metavar="[ID]")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--markdown", is_flag=True, help="Print it as Markdown; without ID, what docs/findings.md holds.")
def explain_command(finding: str | None, as_json: bool, markdown: bool) -> int:
    """Say what a finding of a report means: what happens, why it matters, where to look, what correct looks like.

    ID is a finding's id or its title, as a report shows them. Without it, all findings are listed.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other.")
    entry = None if finding is None else find(finding)
    if as_json:
        click.echo(_as_json(list(CATALOGUE.values()) if entry is None else [entry]))
    elif markdown:
        from grader.catalogue import document  # nobody else needs it

        click.echo(document.render() if entry is None else document.render_entry(entry), nl=False)
    else:
        columns = min(shutil.get_terminal_size().columns, WIDEST)
        click.echo(_index() if entry is None else "\n".join(_page(entry, columns)))
    return Exit.DONE


def find(name: str) -> Entry:
    """The entry of this id or title. Raises `ConfigurationError` with the nearest ones when there is none."""
    wanted = _folded(name)
    known = {_folded(entry.title): entry for entry in CATALOGUE.values()}
    known |= {_folded(entry.id): entry for entry in CATALOGUE.values()}
    if wanted in known:
        return known[wanted]
    near = [name for name in known if len(wanted) > 2 and wanted in name]
    near += difflib.get_close_matches(wanted, known, n=MOST_SUGGESTIONS)
    ids = list(dict.fromkeys(known[name].id for name in near))[:MOST_SUGGESTIONS]
    suggestion = f"did you mean {' or '.join((', '.join(ids[:-1]), ids[-1]) if ids[1:] else ids)}? " if ids else ""
    raise ConfigurationError(f"there is no finding {name!r}", hint=f"{suggestion}`grade explain` lists all of them")


def _folded(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _page(entry: Entry, columns: int) -> Iterator[str]:
    """One entry's lines."""
    yield from (click.style(line, bold=True) for line in _wrapped(f"{entry.id}: {entry.title}", columns, ""))
    for heading, text in _parts(entry):
        yield ""
        yield click.style(heading, bold=True)
        yield from _wrapped(text, columns, "  ")


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _parts(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "What happens", entry.explanation
    yield "Why it matters", entry.why
    yield "Where to look", entry.look
    yield "What correct looks like", entry.right
    yield "How it is told", " ".join(filter(None, (TOLD_SENTENCES[entry.told], entry.reason)))
    if entry.harmless:
        yield "What it costs", f"Nothing. {entry.harmless}"
    for others, when in _looks_like(entry):
        circumstances = when or "They are the same function of the input."
        yield "What it cannot be told from", f"{' and '.join(others)}. {circumstances}"


def _looks_like(entry: Entry) -> Iterator[tuple[list[str], str]]:
    """The ids of mistakes that are the same function, with the circumstances."""
    for alike in ALIKE:
        if entry.id in alike.ids:
            yield [id_ for id_ in alike.ids if id_ != entry.id], alike.when


def _index() -> str:
    """All ids with their titles, by group."""
    widest = max(map(len, CATALOGUE))
    lines = []
    for group, title in GROUP_TITLES.items():
        entries = [entry for entry in CATALOGUE.values() if entry.group is group]
        lines += [click.style(title, bold=True), *(f"  {each.id:{widest}}  {_remarked(each)}" for each in entries), ""]
    return "\n".join([*lines, "grade explain ID says more about one of them."])


def _remarked(entry: Entry) -> str:
    if entry.told is Told.UNTOLD:
        return f"{entry.title} (cannot be told)"
    return f"{entry.title} (costs nothing)" if entry.informative else entry.title


def _as_json(entries: list[Entry]) -> str:
    findings = [
        {
            "id": entry.id,
            "group": entry.group,
            "title": entry.title,
            "explanation": entry.explanation,
            "why": entry.why,
            "look": entry.look,
            "right": entry.right,
            "told": entry.told,
            "reason": entry.reason,
            "informative": entry.informative,
            "harmless": entry.harmless,
            "alike": [{"ids": others, "when": when} for others, when in _looks_like(entry)],
        }
        for entry in entries
    ]
    return json.dumps({"format": "grader/findings/1", "findings": findings}, indent=2, ensure_ascii=False)
