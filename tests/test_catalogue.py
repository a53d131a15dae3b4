"""The catalogue is whole, says what it should, and gives nothing away too early."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.attention.variants import CHANGES
from grader.catalogue import ALIKE, CATALOGUE, GROUP_TITLES, SAME_FUNCTION, TOLD_SENTENCES, Entry, Group, Told, document
from grader.model import Certainty

ROOT = Path(__file__).parents[1]
TEXTS = ("title", "explanation", "why", "look", "right")
KEBAB = re.compile(r"[a-z]+(-[a-zA-Z0-9]+)+")
CODE = re.compile(r"\w\([^)]|[^+]=|//|\*|@|->|\b(self|nn|F)\.\w")
"""What makes a text code: a call with arguments, an assignment or comparison, an operator, a library's namespace."""
NAMED_CODE = re.compile(r"\b[a-zA-Z]\w*\.\w+|\w+\(|//|\*\*|==")
"""The pieces of code a text names: a dotted name, a call, an operator."""

CLAIMS = {"finding", "Explained", "_means", "_in_call", "_observed"}
"""Functions whose first argument is the id of a finding."""


def each_entry() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", CATALOGUE.values(), ids=list(CATALOGUE))


def claimed_ids(file: Path) -> Iterator[str]:
    """The ids that a module claims: `finding="..."`, `finding("...", ...)`, `Explained("...")`, in any expression."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            places = [keyword.value for keyword in node.keywords if keyword.arg == "finding"]
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            places += node.args[:1] if called in CLAIMS else []
            strings = (part.value for place in places for part in ast.walk(place) if isinstance(part, ast.Constant))
            yield from (value for value in strings if isinstance(value, str) and KEBAB.fullmatch(value))


def ids_of_families(file: Path) -> Iterator[str]:
    """Strings of a module that can only be ids, by how they begin."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for part in node.value.split(" + "):
                if KEBAB.fullmatch(part) and part.startswith(("scale-", "softmax-", "mask-", "heads-", "dropout-")):
                    yield part


def trusted_modules() -> list[Path]:
    rooms = [ROOT / "grader" / room for room in ("attention", "checks", "examiner")]
    return [file for room in (*rooms, ROOT / "assignments") for file in sorted(room.rglob("*.py"))]


# -- every id has an entry ---------------------------------------------------------------------------------------------


def test_every_id_that_is_claimed_anywhere_is_in_the_catalogue() -> None:
    claimed = {id_ for file in trusted_modules() for id_ in claimed_ids(file)}

    assert claimed >= {"returns-none", "forbidden-api", "answers-depend-on-history", "softmax-unstable"}
    assert claimed >= {"syntax-error", "shape-error", "mask-wrong-length", "class-renamed"}
    assert claimed <= set(CATALOGUE)


def test_every_string_that_looks_like_an_id_of_a_mistake_is_one() -> None:
    found = {id_ for file in trusted_modules() for id_ in ids_of_families(file)}

    assert found >= {"scale-missing", "mask-ignored", "heads-view-no-transpose"}
    assert found <= set(CATALOGUE)


def test_a_misspelt_id_would_be_noticed(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('fail("...", finding="returns-nothing" if none else None)\nTABLE = {"scale-mising": 1}\n')

    assert set(claimed_ids(module)) - set(CATALOGUE) == {"returns-nothing"}
    assert set(ids_of_families(module)) - set(CATALOGUE) == {"scale-mising"}


def test_every_wrong_solution_yields_findings_of_the_catalogue() -> None:
    headers = [
        line.removeprefix("# finding:")
        for file in ROOT.glob("solutions/*/wrong/*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("# finding:")
    ]
    ids = {id_.strip() for header in headers for id_ in header.split(",")}

    assert len(headers) > 100
    assert ids <= set(CATALOGUE)
    assert all(CATALOGUE[id_].told is not Told.UNTOLD for id_ in ids)


def test_nothing_is_claimed_that_behaviour_cannot_tell() -> None:
    claimed = {id_ for file in trusted_modules() for id_ in claimed_ids(file)}

    assert not {id_ for id_ in claimed if CATALOGUE[id_].told is Told.UNTOLD}


# -- every entry is whole ----------------------------------------------------------------------------------------------


def test_entries_stand_under_their_own_ids_in_the_order_of_the_groups() -> None:
    groups = [entry.group for entry in CATALOGUE.values()]

    assert all(entry.id == id_ for id_, entry in CATALOGUE.items())
    assert list(dict.fromkeys(groups)) == list(Group) == list(GROUP_TITLES)
    assert groups == sorted(groups, key=list(Group).index)


def test_titles_tell_findings_apart() -> None:
    titles = [entry.title for entry in CATALOGUE.values()]

    assert len(set(titles)) == len(titles)
    assert not {title.lower() for title in titles} & set(CATALOGUE)


@each_entry()
def test_an_entry_is_whole(entry: Entry) -> None:
    assert KEBAB.fullmatch(entry.id)
    assert len(entry.title) <= 45
    assert not entry.title.endswith(".")
    for name in (*TEXTS[1:], *(["reason"] if entry.reason else []), *(["harmless"] if entry.harmless else [])):
        text = getattr(entry, name)
        assert 20 <= len(text) <= 320, name
        assert text.endswith((".", "?", ".)")), name
        assert text == " ".join(text.split()), name
        assert text.isascii(), name
    assert bool(entry.reason) is (entry.told is Told.UNTOLD)
    assert entry.informative is bool(entry.harmless)


@each_entry()
def test_where_to_look_gives_no_solution_away(entry: Entry) -> None:
    assert not CODE.search(entry.look)


@each_entry()
def test_only_what_is_right_names_the_code_of_a_solution(entry: Entry) -> None:
    solution = set(NAMED_CODE.findall(entry.right))
    told_before = set(NAMED_CODE.findall(f"{entry.explanation} {entry.why} {entry.look}"))

    assert not solution & told_before


@pytest.mark.parametrize(
    "text", ["Divide by math.sqrt(d).", "Use dim=-1.", "Write scores @ values.", "Take d // h.", "Use nn.ModuleList."]
)
def test_a_solution_would_be_recognised(text: str) -> None:
    assert CODE.search(text)


@each_entry()
def test_texts_blame_nobody_and_spell_as_the_rest_does(entry: Entry) -> None:
    texts = " ".join(getattr(entry, name) for name in (*TEXTS, "reason", "harmless"))

    assert not re.search(r"(?i)\b(you forgot|forgotten|careless|obvious|silly|stupid|bad|lazy|simply)\b", texts)
    assert not re.search(r"(?i)(normaliz|optimiz|initializ|behavior|neighbor|color\b|recogniz)", texts)


def test_what_correct_code_may_have_costs_nothing() -> None:
    informative = {entry.id for entry in CATALOGUE.values() if entry.informative}

    assert informative >= {"class-renamed", "returns-tuple", "python-loop-over-tokens", "fully-masked-row-nan"}
    assert not informative & {"mask-not-accepted", "unbatched-only", "softmax-dim-query", "import-missing"}


# -- how it is told ----------------------------------------------------------------------------------------------------


def test_what_is_told_is_told_with_a_certainty_of_findings() -> None:
    assert {str(each) for each in Told} - {"untold"} == {str(each) for each in Certainty}
    assert set(TOLD_SENTENCES) == set(Told)


def test_what_is_a_variant_of_the_reference_is_proven() -> None:
    ids = {id_ for values in CHANGES.values() for names in values.values() for id_ in names}

    assert len(ids) > 20
    assert all(CATALOGUE[id_].told is Told.PROVEN for id_ in ids)


def test_what_variants_call_by_two_names_is_the_same_function() -> None:
    doubles = {names for values in CHANGES.values() for names in values.values() if len(names) > 1}

    assert doubles == set(SAME_FUNCTION)


def test_what_looks_alike_is_in_the_catalogue_and_can_be_told_from_the_rest() -> None:
    for alike in ALIKE:
        assert len(set(alike.ids)) == len(alike.ids) > 1
        assert set(alike.ids) <= set(CATALOGUE)
        assert all(CATALOGUE[id_].told is not Told.UNTOLD for id_ in alike.ids)
    assert SAME_FUNCTION == (("batch-sequence-mixed", "sequence-first"),)


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_of_findings_is_up_to_date() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")

    assert page == document.render(), "run: grade explain --markdown > docs/findings.md"


def test_every_link_of_the_page_leads_to_a_heading() -> None:
    page = document.render()
    headings = re.findall(r"^#+ (?:<a id=.*?></a>)?(.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    anchors |= set(re.findall(r'<a id="(.*?)">', page))
    links = set(re.findall(r"\]\(#(.*?)\)", page))

    assert links >= set(CATALOGUE)
    assert links <= anchors


def test_the_page_shows_text_as_text() -> None:
    section = document.render_entry(CATALOGUE["scale-inverted"])

    assert r"Q K^T \* d\_k\*\*-0.5" in section


def test_the_page_lists_everything_that_behaviour_cannot_tell() -> None:
    table = document.render().partition("## What behaviour cannot tell")[2].partition("## ")[0]
    untold = [entry for entry in CATALOGUE.values() if entry.told is Told.UNTOLD]

    assert re.findall(r"^\| \[(.*?)\]", table, re.MULTILINE) == [entry.id for entry in untold]
