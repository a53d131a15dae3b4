"""What the command says, writes and exits with, on a class of six with seven pieces of work."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from grader.cli.run import run_command
from grader.worker import namespaces

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

ODD = "=1+1 [bold]Zoë"
"""A name that a spreadsheet would calculate and a terminal library would take for markup."""

LEVEL = "confined"
if sys.platform == "linux" and namespaces.possible().kind is not namespaces.Kind.NONE:
    LEVEL = "sealed"
NO_ROOTS = "mount"
NO_FILES_EITHER = "mount,landlock_create_ruleset"
"""System calls without which there is less isolation."""

Work = tuple[str, str]
"""A student's name and an assignment's id."""

CLASS: dict[Work, str] = {
    ("ada", "self-attention"): "accepted/fused_qkv_stacked.py",
    ("bob", "self-attention"): "wrong/scale_missing.py",
    ("cora", "multi-head-attention"): "accepted/einsum.py",
    ("dan", "multi-head-attention"): "wrong/mask_ignored.py",
    ("eve", "self-attention"): "accepted/no_bias.py",
    ("eve", "multi-head-attention"): "accepted/no_bias.py",
    (ODD, "self-attention"): "accepted/keyword_only.py",
}
STUDENTS = {student for student, _ in CLASS}
BOB = ("bob", "self-attention")


def written(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_bytes())


@dataclass(frozen=True)
class Said:
    """One run: what the process said, and what stood in results.json afterwards."""

    process: subprocess.CompletedProcess[str]
    results: dict[str, Any]

    @property
    def by_work(self) -> dict[Work, dict[str, Any]]:
        return {(each["student"], each["assignment"]): each for each in self.results["submissions"]}

    @property
    def reused(self) -> set[Work]:
        return {work for work, submission in self.by_work.items() if submission["reused"]}

    def verdicts(self) -> dict[Work, Any]:
        """Everything about each piece of work but how long it took and whether it was reused."""
        return {work: timeless(submission) for work, submission in self.by_work.items()}


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in ("seconds", "reused")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Story:
    """A class that is graded, graded again, graded after a change, and graded afresh, always into one folder."""

    folder: Path
    first: Said
    second: Said
    changed: Said
    fresh: Said


@pytest.fixture(scope="module")
def story(grade, repository, tmp_path_factory) -> Story:
    folder = tmp_path_factory.mktemp("class")
    for name in ("assignments", "solutions"):
        (folder / name).symlink_to(repository / name)
    (folder / "submissions").mkdir()
    for (student, assignment), solution in CLASS.items():
        several = sum(name == student for name, _ in CLASS) > 1
        target = folder / "submissions" / (f"{student}/{assignment}.py" if several else f"{student}.py")
        target.parent.mkdir(exist_ok=True)
        shutil.copy(repository / "solutions" / assignment / solution, target)

    def said(*arguments: str) -> Said:
        process = grade(*arguments, folder=folder)
        return Said(process, written(folder / "reports"))

    first = said("submissions")
    second = said("run", "submissions")
    with (folder / "submissions" / "bob.py").open("a") as file:
        file.write("\n# I have looked at it again.\n")
    changed = said("submissions", "-j", "2")
    fresh = said("submissions", "--fresh", "-j", "1")
    return Story(folder, first, second, changed, fresh)


@pytest.fixture(scope="module")
def again(grade, story):
    """Run the command once more in the folder of the story. All attempts are stored, so it is quick."""
    return lambda *arguments, **variables: grade(*arguments, folder=story.folder, **variables)


def listed(process: subprocess.CompletedProcess[str]) -> list[Work]:
    """The pieces of work in the results that were printed."""
    return [(each["student"], each["assignment"]) for each in json.loads(process.stdout)["submissions"]]


def refused(process: subprocess.CompletedProcess[str]) -> str:
    """What the command says when it cannot do what was asked; it must be a sentence, and the exit code 2."""
    assert process.returncode == 2
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    return process.stderr


# -- a class, graded ---------------------------------------------------------------------------------------------------


def test_a_graded_class_ends_with_exit_code_0_even_when_not_all_is_correct(story):
    assert story.first.process.returncode == 0
    assert set(story.first.by_work) == set(CLASS)
    assert {submission["status"] for submission in story.first.results["submissions"]} == {"graded"}


def test_correct_submissions_earn_full_marks_and_wrong_ones_do_not(story):
    full = {work for work, got in story.first.by_work.items() if got["points"] == got["max_points"]}

    assert full == {work for work, solution in CLASS.items() if solution.startswith("accepted/")}


def test_the_table_has_a_row_for_each_piece_of_work_with_points_and_report(story):
    lines = story.first.process.stdout.splitlines()

    for (student, assignment), got in story.first.by_work.items():
        [row] = [line for line in lines if line.startswith(student) and f" {assignment} " in line]
        assert f"{got['points']:g} / {got['max_points']:g}" in row
        assert got["report"] in row


def test_the_table_is_followed_by_counts_the_isolation_level_and_where_the_report_is(story):
    tail = story.first.process.stdout.splitlines()[-3:]

    assert tail[0] == "7 graded."
    assert tail[1].startswith(f"Isolation: {LEVEL}")
    assert tail[2].startswith("Report: reports/index.html")


def test_progress_is_plain_lines_on_standard_error_when_that_is_no_terminal(story):
    lines = story.first.process.stderr.splitlines()

    assert all(re.match(r"graded \d of 7, \d with mistakes, \d running", line) for line in lines)
    assert lines[-1].startswith("graded 7 of 7, 2 with mistakes, 0 running")
    assert not {"\r", "\x1b"} & set(story.first.process.stderr)


def test_nothing_but_text_is_printed_where_there_is_no_terminal(story):
    assert "\x1b" not in story.first.process.stdout


def test_every_report_that_results_json_names_exists_and_so_do_the_overviews(story):
    reports = story.folder / "reports"

    for submission in story.first.results["submissions"]:
        page = reports / submission["report"]
        assert page.is_file()
        assert page.with_suffix(".md").is_file()
        assert page.with_suffix(".txt").is_file()
    assert (reports / "index.html").is_file()
    assert not list(reports.rglob("*.partial"))


def test_a_students_reports_show_the_mistake_the_lines_around_it_and_the_weights(story):
    submission = story.fresh.by_work[BOB]
    [finding] = submission["findings"]
    page = story.folder / "reports" / submission["report"]
    text = page.with_suffix(".txt").read_text("utf-8")
    lines = (story.folder / "submissions" / "bob.py").read_text("utf-8").splitlines()
    meant = finding["where"]["line"]

    assert finding["id"] == "scale-missing"
    assert len(submission["pictures"]) == 2
    assert re.search(rf"^\| > {meant}  {re.escape(lines[meant - 1].strip()[:40])}", text, re.MULTILINE)
    assert re.search(rf"^\|   {meant - 1}  {re.escape(lines[meant - 2].strip()[:40])}", text, re.MULTILINE)
    assert "Head 1" not in text  # there is only one
    assert "Yours " in text
    assert page.read_text("utf-8").count('class="heat"') == 6


def test_the_spreadsheet_agrees_with_results_json(story):
    with (story.folder / "reports" / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {(row["student"].removeprefix("'"), row["assignment"]): row for row in csv.DictReader(file)}

    assert set(rows) == set(CLASS)
    for work, submission in story.fresh.by_work.items():
        assert [rows[work][key] for key in ("status", "loading")] == [submission["status"], submission["loading"]]
        assert [float(rows[work][key]) for key in ("points", "max_points")] == [
            submission["points"],
            submission["max_points"],
        ]


def test_a_name_that_looks_like_a_formula_is_no_formula_in_the_spreadsheet(story):
    text = (story.folder / "reports" / "grades.csv").read_text("utf-8-sig")

    assert f"\n'{ODD}," in text


# -- graded again ------------------------------------------------------------------------------------------------------


def test_run_may_be_left_out(story):
    first, second = story.first.process.stdout, story.second.process.stdout

    assert second == first.replace("7 graded.", "7 graded, 7 of them reused from the last run.")


def test_a_second_run_examines_nothing_and_says_so(story):
    assert story.second.process.stderr == ""
    assert story.second.reused == set(CLASS)


def test_a_second_run_has_the_same_points_and_outcomes(story):
    assert story.second.verdicts() == story.first.verdicts()


def test_after_a_change_only_the_changed_file_is_examined(story):
    assert story.changed.reused == set(CLASS) - {BOB}
    assert "7 graded, 6 of them reused from the last run." in story.changed.process.stdout
    assert "graded 1 of 1, 1 with mistakes" in story.changed.process.stderr


def test_a_comment_changes_nothing_but_the_digest(story):
    before, after = (dict(said.verdicts()[BOB]) for said in (story.first, story.changed))

    assert before.pop("digest") != after.pop("digest")
    assert [(check["id"], check["outcome"], check["points"]) for check in before["checks"]] == [
        (check["id"], check["outcome"], check["points"]) for check in after["checks"]
    ]
    assert [finding["id"] for finding in before["findings"]] == [finding["id"] for finding in after["findings"]]


def test_fresh_examines_all_of_them(story):
    assert story.fresh.reused == set()
    assert story.fresh.process.stdout.splitlines()[-3] == "7 graded."


def test_what_is_examined_afresh_one_at_a_time_gets_the_same_outcomes_and_messages(story):
    assert story.fresh.verdicts() == story.changed.verdicts()


# -- what is printed ---------------------------------------------------------------------------------------------------


def test_json_prints_exactly_the_file(again, story):
    process = again("submissions", "--json")

    assert process.returncode == 0
    assert process.stdout == (story.folder / "reports" / "results.json").read_text()
    assert process.stderr == ""
    assert json.loads(process.stdout)["format"] == "grader/results/1"


def test_quiet_prints_nothing(again):
    process = again("submissions", "--quiet")

    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_no_color_has_the_last_word(again):
    coloured = again("submissions", FORCE_COLOR="1", TERM="xterm-256color")
    plain = again("submissions", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1")

    assert "\x1b[" in coloured.stdout
    assert not re.search(r"\x1b\[[\d;]*3\d", plain.stdout)


def test_a_narrow_terminal_folds_the_table_and_cuts_no_points(again, story):
    process = again("submissions", COLUMNS="50")
    table = process.stdout.partition("7 graded")[0]

    assert max(map(len, table.splitlines())) <= 50
    for submission in story.fresh.results["submissions"]:
        assert f"{submission['points']:g} / {submission['max_points']:g}" in table


def test_help_names_every_option_and_every_exit_code(again):
    process = again("run", "--help")
    text = process.stdout

    assert process.returncode == 0
    for parameter in run_command.params:
        if isinstance(parameter, click.Option):
            assert all(re.search(rf"(?<![\w-]){re.escape(option)}\b", text) for option in parameter.opts)
            assert parameter.help
    assert {"0", "1", "2", "3", "130"} <= set(
        re.findall(r"\d+", text.partition("Exit codes")[2].partition("Options")[0])
    )


def test_help_of_the_group_leads_to_the_run(again):
    process = again("--help")

    assert process.returncode == 0
    assert re.search(r"(?m)^  run\b", process.stdout)


def test_the_version_is_that_of_the_results(again, story):
    assert story.first.results["grader"] in again("--version").stdout


# -- what is graded ----------------------------------------------------------------------------------------------------


def test_one_assignment_can_be_asked_for(again):
    process = again("submissions", "--only", "eve", "-a", "self-attention", "--json")

    assert process.returncode == 0
    assert listed(process) == [("eve", "self-attention")]


def test_several_assignments_can_be_asked_for(again):
    both = ("-a", "self-attention", "--assignment", "multi-head-attention")
    process = again("submissions", "--only", "eve", *both, "--json")

    assert process.returncode == 0
    assert listed(process) == [("eve", "multi-head-attention"), ("eve", "self-attention")]


def test_an_unknown_assignment_is_refused_with_the_likely_one(again):
    text = refused(again("submissions", "-a", "self-atention"))

    assert "there is no assignment 'self-atention'" in text
    assert "\n\nhint: did you mean 'self-attention'?" in text


def test_one_student_can_be_asked_for(again):
    process = again("submissions", "--only", "dan", "--json")

    assert listed(process) == [("dan", "multi-head-attention")]


def test_a_student_with_an_odd_name_can_be_asked_for(again):
    process = again("submissions", "--only", ODD)

    assert process.returncode == 0
    assert ODD in process.stdout


def test_an_unknown_student_is_refused_with_those_there_are(again):
    text = refused(again("submissions", "--only", "Ada"))

    assert "no submission of a student called 'Ada' was found" in text
    assert "\n\nhint: there are: " in text
    assert all(name in text for name in STUDENTS)


def test_a_single_file_is_a_student(again):
    process = again("submissions/ada.py", "--json")

    assert listed(process) == [("ada", "self-attention")]


def test_a_path_that_does_not_exist_is_refused_with_the_likely_one(again):
    text = refused(again("submisions"))

    assert "there is no file or folder" in text
    assert "\n\nhint: did you mean " in text
    assert "/submissions?" in text


def test_a_folder_without_submissions_is_refused(again, tmp_path):
    text = refused(again(tmp_path))

    assert "no submissions were found" in text
    assert "\n\nhint: " in text


def test_no_path_at_all_is_a_usage_error(again):
    assert "PATH" in refused(again("run"))


def test_an_unknown_option_is_a_usage_error(again):
    assert "--frehs" in refused(again("submissions", "--frehs"))


def test_an_output_folder_that_is_a_file_is_refused_with_what_to_do(again):
    text = refused(again("submissions", "-o", "submissions/ada.py"))

    assert "submissions/ada.py" in text
    assert "\n\nhint: " in text


# -- when to exit with 1 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--fail-under", "100"), 1),
        (("--fail-under", "0"), 0),
        (("--only", "ada", "--fail-under", "100"), 0),
        (("--only", "bob", "--fail-under", "50"), 0),
        (("--only", "bob", "--fail-under", "99.5"), 1),
    ],
)
def test_fail_under_compares_every_grade_with_a_percentage(again, arguments, code):
    assert again("submissions", "--quiet", *arguments).returncode == code


def test_fail_under_more_than_everything_is_a_usage_error(again):
    assert "--fail-under" in refused(again("submissions", "--fail-under", "101"))


def test_a_submission_that_cannot_be_read_needs_attention(again, tmp_path):
    (tmp_path / "eve.ipynb").write_text("{}")
    process = again(tmp_path, "--json")

    assert process.returncode == 1
    assert {submission["status"] for submission in json.loads(process.stdout)["submissions"]} == {"rejected"}


# -- what is refused before anything runs ------------------------------------------------------------------------------


def test_more_isolation_than_there_is_is_refused(again):
    text = refused(again("submissions", "--fresh", "--isolation", "sealed", refused=NO_ROOTS))

    assert "the isolation here is 'confined', and the checks are to be run with 'sealed' at least" in text
    assert "own root" in text
    assert "\n\nhint: " in text


def test_the_isolation_there_is_is_accepted(again):
    process = again("submissions", "--isolation", LEVEL)

    assert process.returncode == 0
    assert f"Isolation: {LEVEL}" in process.stdout


@pytest.fixture
def another_class(repository, tmp_path) -> Path:
    """A folder with one submission, of which nothing is stored yet."""
    for name in ("assignments", "solutions"):
        (tmp_path / name).symlink_to(repository / name)
    (tmp_path / "submissions").mkdir()
    shutil.copy(repository / "solutions" / "self-attention" / "reference.py", tmp_path / "submissions" / "ada.py")
    return tmp_path


def test_a_machine_without_roots_for_workers_still_gives_enough_for_hidden_checks(grade, another_class):
    process = grade("submissions", folder=another_class, refused=NO_ROOTS)

    assert process.returncode == 0
    assert "Isolation: confined (missing: own root" in process.stdout
    assert "20 / 20" in process.stdout


def test_hidden_checks_are_not_run_behind_less_unless_that_is_asked_for(grade, another_class):
    text = refused(grade("submissions", folder=another_class, refused=NO_FILES_EITHER))
    asked = re.search(r"--isolation ([a-z-]+)", text)
    assert asked is not None
    process = grade("submissions", "--isolation", asked[1], folder=another_class, refused=NO_FILES_EITHER)

    assert "Landlock" in text
    assert asked[1] in ("separate-user", "process-only")
    assert process.returncode == 0
    assert f"Isolation: {asked[1]}" in process.stdout


def test_attempts_made_behind_less_are_not_taken_for_ones_made_behind_more(grade, another_class):
    grade("submissions", folder=another_class, refused=NO_ROOTS)
    refused(grade("submissions", "--isolation", "sealed", folder=another_class, refused=NO_ROOTS))
    process = grade("submissions", "--isolation", "confined", folder=another_class, refused=NO_FILES_EITHER)

    assert process.returncode == 0  # nothing had to be run
    assert "Isolation: confined" in process.stdout


def test_all_problems_of_a_broken_assignment_are_listed_at_once(again, repository, tmp_path):
    broken = tmp_path / "assignments" / "self-attention"
    shutil.copytree(repository / "assignments" / "self-attention", broken)
    settings = (broken / "assignment.toml").read_text()
    settings = settings.replace("check_seconds = 10", 'check_seconds = "ten"').replace("entry =", "entri =")
    (broken / "assignment.toml").write_text(settings + '\n[deadlines]\ndue = "soon"\n')
    text = refused(again("submissions", "--assignments", tmp_path / "assignments"))

    assert 'self-attention/assignment.toml: limits.check_seconds: expected a number, got "ten"' in text
    assert 'submission.entri: unknown key; did you mean "entry"?' in text
    assert "submission.entry: is missing" in text
    assert "deadlines: unknown key" in text


def test_a_check_that_fails_on_its_own_reference_ends_the_run_and_is_named(again, repository, tmp_path):
    own = tmp_path / "assignments" / "self-attention"
    shutil.copytree(repository / "assignments" / "self-attention", own)
    with (own / "checks" / "test_construction.py").open("a") as file:
        file.write(
            '\n\n@check(points=1, concept="construction")\n'
            "def test_cannot_pass(student):\n"
            '    """Nobody passes this."""\n'
            '    require(False, "Nobody does.")\n'
        )
    text = refused(again("submissions", "--only", "ada", "--assignments", tmp_path / "assignments"))

    assert "self-attention: test_construction.py::test_cannot_pass failed on the reference solution" in text
    assert "Nobody does." in text
    assert "test_builds" not in text


def test_reports_go_where_they_are_wanted_and_nowhere_else(again, story, tmp_path):
    untouched = (story.folder / "reports" / "results.json").stat().st_mtime_ns
    elsewhere = tmp_path / "not" / "yet" / "there"
    elsewhere.mkdir(parents=True)
    shutil.copy(story.folder / "reports" / "attempts.sqlite", elsewhere)  # so that nothing has to be examined
    process = again("submissions", "--out", elsewhere)

    assert process.returncode == 0
    assert f"Report: {elsewhere / 'index.html'}" in process.stdout
    assert timeless(written(elsewhere)["submissions"]) == timeless(story.fresh.results["submissions"])
    assert (story.folder / "reports" / "results.json").stat().st_mtime_ns == untouched
    assert {path.name for path in story.folder.iterdir()} == {"assignments", "solutions", "submissions", "reports"}
