from __future__ import annotations

from pathlib import Path

import pytest

from grader.examiner.circumstances import circumstances
from grader.examiner.session import Session
from grader.model import CellOutcome, CellRun, Finding, Limits, Match, Place
from grader.orders import Course, Order

from .raising import IMPORTS, SEVERAL, SINGLE, changed, opened, use

LINE = Place(file="a.ipynb", line=2, source="x = y", cell=3)


def course(*, several: bool = False) -> Course:
    return Course(
        id="a",
        checks_folder="",
        reference="",
        entry="M",
        contract=SEVERAL if several else SINGLE,
        limits=Limits(),
        checks=(),
    )


def order(target: str = "M", **binds: int) -> Order:
    return Order(assignment="a", match=Match(file="a.ipynb", target=target), policy_hits=(), seed="s", binds={**binds})


def found(session: Session, *, wanted: Course | None = None, told: Order | None = None) -> dict[str, Finding]:
    """The findings about a session, each of which must be there once."""
    findings = list(circumstances(wanted or course(), told or order(), session))

    assert len({finding.id for finding in findings}) == len(findings)
    assert all(finding.informative for finding in findings)
    return {finding.id: finding for finding in findings}


def used(folder: Path, source: str) -> Session:
    session = opened(folder, source)
    use(session, SEVERAL if "num_heads" in source else SINGLE, (), masked=False, slopes=False)
    return session


def cell(number: int, error: str, outcome: CellOutcome = CellOutcome.RAISED) -> CellRun:
    return CellRun(cell=number, outcome=outcome, error=error, trace=(LINE,))


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """One that has loaded a module as it should be."""
    return used(tmp_path, changed("alone"))


# -- what things are called --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["alone", "fused", "nested"])
def test_there_is_nothing_to_say_about_a_module_as_it_should_be(style: str, tmp_path: Path) -> None:
    session = used(tmp_path, changed(style))

    assert found(session, wanted=course(several=style != "alone")) == {}


def test_another_name_of_the_class_is_told_with_both(session: Session) -> None:
    told = found(session, told=order("Attention\u202e"))

    assert told.keys() == {"class-renamed"}
    assert "is called Attention\\u202e; in the assignment it is M" in told["class-renamed"].explanation


def signature(construct: str, call: str) -> str:
    """A module with these signatures, which are all that counts of it."""
    init, forward = f"def __init__(self, {construct}): pass", f"def forward(self, {call}): pass"
    return f"{IMPORTS}class M(nn.Module):\n    {init}\n    {forward}\n"


@pytest.mark.parametrize(
    ("construct", "call", "ids", "phrase"),
    [
        ("embed_dim, num_heads, dropout=0.0", "x, mask=None", set(), ""),
        ("embed_dim, num_heads", "x", set(), ""),
        ("embed_dim, num_heads, max_len, bias=True", "x, mask=None, verbose=False", set(), ""),
        ("*, dropout=0.0, num_heads, embed_dim", "*, mask=None, x", set(), ""),
        ("width, heads", "x", {"argument-renamed"}, "embed_dim is called width, num_heads is called heads."),
        ("embed_dim, num_heads", "tokens, mask", {"argument-renamed"}, "In forward, x is called tokens."),
        ("embed_dim, num_heads", "q, k, v", {"argument-renamed"}, "In forward, x is called q and k and v."),
        ("num_heads, embed_dim", "x", {"argument-order"}, "In the constructor, the order is num_heads, embed_dim."),
        ("embed_dim, num_heads", "mask, x", {"argument-order"}, "In forward, the order is mask, x."),
        ("heads, width", "x", {"argument-order", "argument-renamed"}, "the order is num_heads, embed_dim"),
        ("embed_dim, num_heads, dropout, vocabulary", "x", set(), ""),
    ],
)  # fmt: skip
def test_arguments_that_differ_from_the_contract_are_told(construct, call, ids, phrase, tmp_path: Path) -> None:
    session = opened(tmp_path, signature(construct, call))
    session.open()
    told = found(session, wanted=course(several=True))

    assert told.keys() == ids
    assert phrase in " ".join(finding.explanation for finding in told.values())


@pytest.mark.parametrize(
    ("returned", "phrase"),
    [
        ("weights @ v, weights", "number 1 of them"),
        ("weights, weights @ v", "number 2 of them"),
        ("{'out': weights @ v}", "called out among them"),
    ],
)
def test_the_output_among_other_values_is_told_with_its_place(returned: str, phrase: str, tmp_path: Path) -> None:
    told = found(used(tmp_path, changed("alone", ("return weights @ v", f"return {returned}"))))

    assert told.keys() == {"returns-tuple"}
    assert phrase in told["returns-tuple"].explanation


# -- cells, and what could not be had ----------------------------------------------------------------------------------


def test_a_cell_that_failed_is_told_with_its_error_and_line(session: Session) -> None:
    session.cells = (cell(3, "ZeroDivisionError: division by zero"), cell(5, "ValueError: no."))
    told = found(session)

    assert told.keys() == {"notebook-cell-failed"}
    assert told["notebook-cell-failed"].where == LINE
    assert "Cell 3 raised ZeroDivisionError: division by zero. (And something like it in 1 more.)" in (
        told["notebook-cell-failed"].explanation
    )


@pytest.mark.parametrize(
    ("binds", "id_"),
    [
        ({"attention": 5}, "notebook-out-of-order"),
        ({"attention": 3}, "notebook-cell-failed"),
        ({"attention": 2}, "notebook-cell-failed"),
        ({"other": 5}, "notebook-cell-failed"),
    ],
)
def test_a_name_that_only_a_later_cell_binds_is_out_of_order(binds: dict[str, int], id_: str, session: Session) -> None:
    session.cells = (cell(3, "NameError: name 'attention' is not defined"),)
    told = found(session, told=order(**binds))

    assert told.keys() == {id_}
    assert ("which only cell 5 defines" in told[id_].explanation) == (id_ == "notebook-out-of-order")


@pytest.mark.parametrize(
    ("outcome", "error", "ids"),
    [
        (CellOutcome.INTERRUPTED, "", {"notebook-timed-out"}),
        (CellOutcome.KILLED, "", {"notebook-cell-failed"}),
        (CellOutcome.NOT_RUN, "", set()),
        (CellOutcome.RAISED, "EOFError: nobody is there to type while grading.", {"input-requested"}),
        (CellOutcome.RAISED, "OSError: there is no network while grading: nothing", {"network-requested"}),
        (CellOutcome.RAISED, "ImportError: google is only there on its own platform", {"network-requested"}),
    ],
)  # fmt: skip
def test_what_became_of_a_cell_has_a_name(outcome: CellOutcome, error: str, ids: set[str], session: Session) -> None:
    session.cells = (cell(3, error, outcome),)

    assert found(session).keys() == ids


@pytest.mark.parametrize(
    ("note", "id_"),
    [
        ("line 3 raised EOFError: input() cannot be answered: nobody is there to type", "input-requested"),
        ("line 3 raised URLError: <urlopen error there is no network while grading: nothing>", "network-requested"),
        ("list is a value of type Tensor when all cells have run, not Python's own list", "shadowed-builtin"),
    ],
)
def test_why_only_the_definitions_were_graded_has_a_name(note: str, id_: str, session: Session) -> None:
    session.loading_note, session.loading_where = note, LINE
    told = found(session)

    assert told.keys() == {id_}
    assert told[id_].where == (None if id_ == "shadowed-builtin" else LINE)


@pytest.mark.parametrize("note", ["", "line 3 raised ValueError: no", "list is None", "M is None, not a class"])
def test_another_reason_has_none(note: str, session: Session) -> None:
    session.loading_note = note

    assert found(session) == {}


def test_nothing_is_asked_and_nothing_said_of_what_could_not_be_loaded(tmp_path: Path) -> None:
    assert found(opened(tmp_path, "1 / 0")) == {}


def test_a_cells_error_cannot_be_long_or_act(session: Session) -> None:
    session.cells = (cell(3, "E\x1b[2J" * 100),)
    told = found(session)["notebook-cell-failed"].explanation

    assert len(told) < 300
    assert told.isprintable()
