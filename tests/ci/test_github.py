"""The summary of a job and the annotations of its log, with a reader that obeys commands as GitHub's runner does."""

from __future__ import annotations

import re

import pytest

from grader.model import Certainty, Finding, HiddenFeedback, Outcome, Place, Status
from grader.reports import github
from grader.reports.github import ANNOTATIONS, BUDGET, MOST, SUMMARY, Annotation, command, shown

from ..reports import sample


def lines(*grades, **more) -> list[str]:
    return github.render(sample.cohort(*grades), **more)[ANNOTATIONS].decode().splitlines()


def obeyed(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner takes it apart."""
    found = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert found, line
    properties = dict(each.split("=", 1) for each in found[2].split(","))
    return found[1], {name: unescaped(value) for name, value in properties.items()}, unescaped(found[3])


def unescaped(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


def on_a_line(title: str, line: int) -> Finding:
    where = Place(file="attention.py", line=line, source="x = 1")
    return Finding(id="scale-embed-dim", certainty=Certainty.OBSERVED, title=title, where=where, check="none")


def test_a_mistake_stands_on_its_line_and_the_score_in_a_notice() -> None:
    failed = sample.other(sample.SPECS[2], Outcome.FAILED, "It differs.")
    grade = sample.grade("ada", failed, findings=(on_a_line("wrong scale", 7),))
    notes = [obeyed(line) for line in lines(grade, prefix="src/")]

    assert notes[0][:2] == ("error", {"file": "src/attention.py", "line": "7", "title": "wrong scale"})
    assert notes[-1][0] == "notice"
    assert "9 of 12 points" in notes[-1][2]


def test_a_place_in_a_notebook_is_told_since_its_file_counts_lines_differently() -> None:
    kind, properties, message = obeyed(lines(sample.ada())[0])

    assert kind == "error"
    assert properties["file"] == "attention.ipynb"
    assert "line" not in properties
    assert message.startswith("cell 4, line 23, in forward: ")


def test_at_most_ten_of_a_kind_are_written_and_those_that_matter_most_come_first() -> None:
    many = tuple(on_a_line(f"mistake {number}", number) for number in range(1, 30))
    failed = sample.other(sample.SPECS[2], Outcome.FAILED, "It differs.")
    notes = [obeyed(line) for line in lines(sample.grade("ada", failed, findings=many))]

    assert [properties["title"] for kind, properties, _ in notes if kind == "error"] == [
        f"mistake {number}" for number in range(1, MOST + 1)
    ]


def test_each_kind_has_its_ten_and_the_same_note_is_written_once() -> None:
    notes = [Annotation(kind=kind, title=str(n), message="") for kind in ("notice", "error") for n in range(20)]

    assert [note.kind for note in shown(notes)] == ["error"] * MOST + ["notice"] * MOST
    assert len(shown([notes[0]] * 5)) == 1


def test_what_cannot_be_graded_is_an_error_with_its_reason_and_our_failure_only_a_warning() -> None:
    rejected = lines(sample.absent("bob", Status.REJECTED, "the folder is empty"))
    ours = lines(sample.grade("eve", sample.other(sample.SPECS[0], Outcome.INTERNAL), status=Status.NEEDS_ATTENTION))

    assert obeyed(rejected[0])[::2] == ("error", "the folder is empty")
    assert [obeyed(line)[0] for line in ours] == ["warning", "notice"]


@pytest.mark.parametrize(
    "text", ["a\n::error::b", "100%0A::error::", "file=x,line=1::y", "\r\n::set-output name=a::b", "::stop-commands::x"]
)
def test_no_text_can_end_its_annotation_or_begin_another(text: str) -> None:
    note = Annotation(kind="error", title=text, message=text, file=text, line=3)
    kind, properties, message = obeyed(command(note))

    assert "\n" not in command(note)
    assert (kind, message) == ("error", text)
    assert properties == {"file": text, "line": "3", "title": text}


@pytest.mark.parametrize("name", [*sample.HOSTILE_NAMES, "\n::error::x\n", "%0A::error::x"])
def test_a_students_words_make_no_other_annotation(name: str) -> None:
    written = lines(sample.hostile(name))

    assert all(obeyed(line)[0] in ("error", "warning", "notice") for line in written)
    assert all(line.isprintable() for line in written)


def test_the_summary_says_what_a_runner_of_the_students_cannot_protect() -> None:
    public = sample.assignment(checks=tuple(spec for spec in sample.SPECS if not spec.hidden))
    secret = github.render(sample.cohort(sample.ada()))[SUMMARY].decode()
    open_ = sample.grade("ada")
    open_ = sample.changed(open_, checks=tuple(each for each in open_.checks if not each.spec.hidden))
    told = github.render(sample.cohort(open_))[SUMMARY].decode()

    assert public.checks
    assert "can be changed by a push" in secret
    assert "can be changed by a push" in told
    assert "Hidden checks were run, so whoever can change this job's steps can read them" in secret
    assert "The hidden checks of the course are more" in told


def test_the_summary_holds_the_students_report_and_nothing_for_instructors() -> None:
    cohort = sample.cohort(sample.ada(), feedback=HiddenFeedback.OUTCOME)
    summary = github.render(cohort)[SUMMARY].decode()

    assert "**5 of 12 points**" in summary
    assert "tensor([0.1" not in summary
    assert sample.FLAGGED.message not in summary


def test_the_summary_stays_within_what_github_shows_and_says_when_something_is_left_out() -> None:
    flood = sample.grade("ada", sample.other(sample.SPECS[0], Outcome.FAILED, "x" * 200_000), output="y" * 200_000)
    whole = github.render(sample.cohort(*[flood] * 200))[SUMMARY]
    small = github.render(sample.cohort(flood), room=1_500)[SUMMARY]

    assert len(whole) <= BUDGET
    assert b"Not all of this fits" in whole
    assert b"Not all of this fits" in small
    assert github.render(sample.cohort(flood), room=100)[SUMMARY] == b""
    assert b"Not all" not in github.render(sample.cohort(sample.ada()))[SUMMARY]
