"""Attacks gain nothing, learn nothing, leave nothing, and harm nobody, in each way the grader can be run.

The attacks are in `corpus/` (`cases.py` tells the format), the ways in `modes.py`. All attacks are graded in one run,
with correct submissions between them; each mode is one run. `python -m tests.hostile` prints the same as a table.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import os
import sys

import pytest

from ..patience import times_longer
from . import modes, verdicts
from .cases import COPIES, CORPUS, GROUPS, LIMITS, VICTIM, CaseError, again, prepare, read

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="rooms for hostile code need Linux")

try:
    CASES, PROBLEMS = read(), ""
except CaseError as error:
    CASES, PROBLEMS = (), str(error)
ATTACKS = [case for case in CASES if case.hostile]
CORRECT = sorted({*COPIES, *itertools.chain.from_iterable(COPIES.values())})
STUDENTS = sorted({*(case.name for case in CASES), *CORRECT})

CATALOGUE = {
    f"{letter}{number}"
    for letter, last in {"F": 18, "X": 22, "P": 16, "O": 8, "R": 16, "S": 10, "H": 12}.items()
    for number in range(1, last + 1)
}
ELSEWHERE: dict[str, str] = {}
"""Attacks of the catalogue that no file of the corpus makes, and where they are made instead."""


@pytest.fixture(scope="module", params=modes.MODES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> verdicts.Run:
    """The one run of a mode."""
    folder = tmp_path_factory.mktemp(f"hostile-{request.param}")
    if reason := modes.why_not(request.param, folder):
        pytest.skip(reason)
    return modes.run(modes.MODES[request.param], prepare(CASES, folder / "run"))


def names(cases):
    return pytest.mark.parametrize("case", cases, ids=[f"{case.group}/{case.name}" for case in cases])


def groups():
    return ", ".join(f"{group} {sum(case.group == group for case in ATTACKS)}" for group in GROUPS[:-1])


# -- the corpus itself -------------------------------------------------------------------------------------------------


def test_every_file_of_the_corpus_keeps_to_the_format():
    assert PROBLEMS == ""


def test_there_are_at_least_eighty_attacks_and_some_of_every_kind():
    assert len(ATTACKS) >= 80
    assert {case.group for case in CASES} == set(GROUPS)


def test_every_attack_of_the_catalogue_is_made_here_or_it_is_said_where(capsys):
    made = {attack for case in ATTACKS for attack in case.attacks}
    with capsys.disabled():
        print(f"\n{len(made)} of the catalogue's {len(CATALOGUE)} attacks, in {len(ATTACKS)} files: {groups()}")

    assert made <= CATALOGUE
    assert sorted(CATALOGUE - made) == sorted(ELSEWHERE)


@names(CASES)
def test_a_file_says_nothing_of_where_it_was_written(case):
    files = [case.path] if case.path.is_file() else [*case.path.rglob("*.py")]
    text = "".join(file.read_text(errors="replace") for file in files)

    assert str(CORPUS.parents[2]) not in text


# -- each attack -------------------------------------------------------------------------------------------------------


@names(ATTACKS)
def test_an_attack_gains_nothing_over_the_honest_submission_with_the_same_mathematics(run, case):
    assert verdicts.forged(run, case) == []


@names(CASES)
def test_what_a_case_says_must_become_of_it_became_of_it(run, case):
    assert verdicts.unkept(run, case) == []


@pytest.mark.parametrize("student", STUDENTS)
def test_nothing_hidden_stands_in_what_a_student_gets_back(run, student):
    assert verdicts.leaked(run, run.prepared.students.get(student, student)) == []


@pytest.mark.parametrize("student", CORRECT)
def test_a_correct_submission_between_attacks_earns_full_marks(run, student):
    assert verdicts.imperfect(run, student) == []


# -- the run as a whole ------------------------------------------------------------------------------------------------


def test_the_isolation_is_what_this_mode_must_reach(run):
    assert verdicts.weaker(run) == []


def test_nothing_hidden_stands_in_the_terminal(run):
    assert verdicts.leaked_at_large(run) == []


def test_no_process_outlives_the_run(run):
    assert run.survivors == ()


@pytest.mark.parametrize("place", ["class", "assignments", "solutions", "packages", "checkout"])
def test_what_was_handed_in_or_installed_is_not_changed(run, place):
    assert run.changes[place] == []


def test_nothing_is_left_in_any_folder_and_the_grading_process_is_as_it_was(run):
    assert verdicts.changed(run) == []


def test_everybody_is_accounted_for(run):
    graded = {grade.student for grade in run.grades}
    second = {again(case.name) for case in CASES if not case.hostile}

    assert graded == {*run.prepared.students.values(), *run.prepared.correct, *second}
    assert all(run.pages[student] for student in graded)


def test_correct_submissions_stand_at_the_front_in_the_middle_and_at_the_end(run):
    order = sorted({grade.student for grade in run.grades})
    places = [order.index(student) / len(order) for student in run.prepared.correct]

    assert min(places) < 0.1
    assert max(places) > 0.9
    assert any(0.4 < place < 0.6 for place in places)


def test_no_attack_takes_longer_than_its_limits(run):
    """Those of a notebook's cells come before. What the grader does around it takes time as well, and much of it on a
    busy machine."""
    seconds, check, loading, notebook = (
        int(LIMITS[f"{kind}seconds"]) for kind in ("", "check_", "import_", "notebook_")
    )
    for grade in run.grades:
        told = [grade.loading_note, *(message for _, message in grade.checks.values())]

        assert grade.seconds < (2 * seconds + notebook) * times_longer(told, check, loading), grade.student


def test_a_summary(run, capsys):
    with capsys.disabled():
        print(f"\n{verdicts.summary(run)}")


# -- controls: what these tests look for would be found ---------------------------------------------------------------


def test_a_submission_that_does_better_than_its_twin_would_be_found(run):
    [correct] = [case for case in CASES if case.name == "correct"]
    gained = verdicts.forged(run, dataclasses.replace(correct, twin="averages"))

    assert any("test_matches_the_reference passed" in text for text in gained)
    assert any("points" in text for text in gained)


def test_a_hidden_word_on_a_page_would_be_found(run):
    told = dataclasses.replace(run, pages={**run.pages, "averages": [f"<p>{run.prepared.canaries['check']}</p>"]})

    assert verdicts.leaked(told, "averages") == ["check (plain)"]


def test_the_victim_may_read_what_is_in_the_victim_s_own_file(run):
    told = dataclasses.replace(run, pages={VICTIM: [" ".join(run.prepared.canaries.values())]})

    assert verdicts.leaked(told, VICTIM) == [
        f"{name} (plain)" for name in ("check", "environment", "solution", "store")
    ]


TOKEN = "0123456789abcdef0f1e2d3c4b5a6978"


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        TOKEN.upper(),
        TOKEN[:20],
        "-".join(TOKEN),
        "\n".join(TOKEN),
        "<b>".join(TOKEN),
        TOKEN[::-1],
        TOKEN.encode().hex(),
        TOKEN.encode().hex(" "),
        *(base64.b64encode(b"?" * shift + TOKEN.encode() + b"tail").decode() for shift in range(4)),
        base64.encodebytes(b"it is " * 9 + TOKEN.encode()).decode(),
    ],
)
def test_a_hidden_word_is_found_in_every_disguise(text):
    assert list(verdicts.hits(f"before {text} after", {"check": f"canary-check-{TOKEN}"}))


def test_other_words_are_not_taken_for_hidden_ones():
    assert not list(verdicts.hits(f"canary-check-{TOKEN[8:]}", {"check": "canary-check-" + "9f" * 16}))


LEAVES_SOMETHING = """
import os, subprocess, sys
subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
for name in ("/tmp/left", "/dev/shm/left", sys.argv[1]):
    open(name, "w").close()
try:
    os.kill(-1, 0)
    os.kill(1, 9)
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("name", modes.MODES)
def test_what_a_run_leaves_behind_would_be_found(name, tmp_path):
    if reason := modes.why_not(name, tmp_path):
        pytest.skip(reason)
    room = tmp_path / "room"
    room.mkdir()
    watch = {place: (place, False) for place in ("/tmp", "/dev/shm", str(room))}
    command = [*modes.PYTHON, "-c", LEAVES_SOMETHING, str(room / "left")]
    wanted = modes.plan(modes.MODES[name], command, room=room, folder=room, environment={}, seconds=20, watch=watch)
    seen = modes.carry_out(wanted)

    assert seen["code"] == 0, seen["said"]
    assert [text.split()[1] for text in seen["survivors"]] == ["sleep"]
    assert {place: [text.split()[0] for text in seen["changes"][place]] for place in watch} == {
        place: ["left"] for place in watch
    }
    assert not os.path.exists("/tmp/left")
    assert not os.path.exists("/dev/shm/left")
