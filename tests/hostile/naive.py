"""What a plain pytest run lets through: `python -m tests.hostile.naive [TEXT...]`.

Every attack that forges, steals or cheats is graded the way it is usually done: copied as `attention.py` beside the
tests and the solution, and `pytest` run there. Three ways to read the result are compared: the exit code, the JUnit
file, and what was printed. Each run has a room of its own (`outer.py`), so that nothing it does matters.

This measures; it is no test. An honest correct submission must pass in all three, the wrong ones must fail in all.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import modes, verdicts
from .cases import COPIES, CORPUS, Case, hand_in, hide_in_module, placeholders, read, secret_words
from .outer import HOST_PID

GROUPS = ("forging", "stealing", "cheating", "honest")
SECONDS = 30.0
TESTS = {
    "self-attention": Path(__file__).with_name("plain_self_attention.py"),
    "multi-head-attention": Path(__file__).with_name("plain_multi_head_attention.py"),
}
COUNT = {assignment: len(re.findall(r"(?m)^def test_", file.read_text())) for assignment, file in TESTS.items()}
OPTIONS = ["-q", "--capture=tee-sys", "-p", "no:cacheprovider"]
"""What a submission prints is shown, as students are used to; the totals that pytest prints are the same."""


PLAIN = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""What else happens to be installed here is no part of it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a plain pytest run says of a case, read in three ways, and which hidden words its output holds."""

    case: Case
    exit_code: bool
    junit: bool
    stdout: bool
    leaked: tuple[str, ...]
    last_words: str

    @property
    def all_three(self) -> tuple[bool, bool, bool]:
        """The three ways to read it."""
        return self.exit_code, self.junit, self.stdout


def main() -> int:
    """Exit code 0 when the honest ones got what they deserve."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.naive", description=__doc__)
    parser.add_argument("text", nargs="*", help="only attacks with one of these in their group or name")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="another folder with cases")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    asked = parser.parse_args()
    cases = [case for case in read(asked.corpus) if case.group in GROUPS and case.status == "graded"]
    cases = [case for case in cases if wanted(case, asked.text)]
    with tempfile.TemporaryDirectory(prefix="naive-") as folder:
        mode = possible_mode(Path(folder))
        with ThreadPoolExecutor(asked.jobs) as pool:
            found = list(pool.map(partial(judge, mode=mode, folder=Path(folder), of=len(cases)), cases))
    sys.stdout.write(table(found))
    sys.stdout.write(f"\n{totals(found)}\n")
    return int(not all(control_holds(verdict) for verdict in found if not verdict.case.hostile))


def wanted(case: Case, texts: list[str]) -> bool:
    """Whether it was asked for; what is honest always is."""
    return not case.hostile or not texts or any(text in f"{case.group}/{case.name}" for text in texts)


def possible_mode(folder: Path) -> modes.Mode:
    """An ordinary user's, where that is possible."""
    reasons = [reason for name in ("user", "root") if (reason := modes.why_not(name, folder))]
    if len(reasons) == 2:
        raise SystemExit(f"no room can be made: {reasons[0]}")
    return modes.MODES["root" if reasons else "user"]


# -- one run -----------------------------------------------------------------------------------------------------------


def judge(case: Case, *, mode: modes.Mode, folder: Path, of: int) -> Verdict:
    """Run pytest on one case."""
    room = folder / f"{case.group}-{case.name}"
    canaries = arrange(case, room)
    grading, junit = room / "grading", room / "reports" / "junit.xml"
    wanted = modes.plan(
        mode,
        [sys.executable, "-B", "-m", "pytest", *OPTIONS, f"--junitxml={junit}", "test_attention.py"],
        room=room,
        folder=grading,
        environment={"HOME": str(room / "home"), "GRADER_CANARY": canaries["environment"], **PLAIN},
        seconds=SECONDS,
    )
    seen = modes.carry_out(wanted)
    said, counted = seen["said"], content(junit)
    verdict = Verdict(
        case=case,
        exit_code=seen["code"] == 0,
        junit=clean_junit(counted, COUNT[case.assignment]),
        stdout=bool(re.search(r"\b\d+ passed\b", said)) and not re.search(r"\d+ (failed|errors?)\b", said),
        leaked=tuple(sorted(set(verdicts.hits(f"{said} {counted}", canaries)))),
        last_words=(said.strip().splitlines() or [""])[-1][:100],
    )
    shutil.rmtree(room, ignore_errors=True)
    sys.stderr.write(f"{row(verdict)}  {verdict.last_words!r} (of {of})\n")
    return verdict


def arrange(case: Case, room: Path) -> dict[str, str]:
    """Lay out what a plain grader has: tests, solution and submission in one folder, the rest of the course near."""
    canaries = secret_words()
    grading, handed_in, reports = (room / name for name in ("grading", "class", "reports"))
    for folder in (grading, handed_in, reports, room / "home"):
        folder.mkdir(parents=True)
    tests, solution = grading / "test_attention.py", grading / "solution.py"
    shutil.copyfile(TESTS[case.assignment], tests)
    shutil.copyfile(modes.REPOSITORY / "solutions" / case.assignment / "reference.py", solution)
    hide_in_module(tests, canaries["check"])
    hide_in_module(solution, canaries["solution"])
    (handed_in / "victim.py").write_text(f"# {canaries['submission']}\n")
    (reports / "remarks.txt").write_text(f"{canaries['store']}\n")
    for file, place in (
        (tests, f"assignments/{case.assignment}/checks/{tests.name}"),
        (solution, f"solutions/{case.assignment}/reference.py"),
    ):
        (room / place).parent.mkdir(parents=True)
        shutil.copyfile(file, room / place)
    words = placeholders(
        ASSIGNMENTS=room / "assignments",
        SOLUTIONS=room / "solutions",
        SUBMISSIONS=handed_in,
        REPORTS=reports,
        REPOSITORY=room,
        HOST_PID=HOST_PID,
        MARK="left",
    )
    submit(case, handed_in, grading, words)
    return canaries


def submit(case: Case, handed_in: Path, grading: Path, words: dict[bytes, bytes]) -> None:
    """Copy what was handed in beside the tests, all of it. Of a notebook, the code cells become the module."""
    hand_in(case, handed_in, words)
    [own] = [path for path in handed_in.iterdir() if path.name != "victim.py" and not path.is_symlink()][:1]
    if own.is_dir():
        for path in own.iterdir():
            if not (grading / path.name).exists():
                shutil.move(path, grading / path.name)
    else:
        shutil.copyfile(own, grading / f"attention{own.suffix}")
    for notebook in filter(Path.is_file, grading.glob("*.ipynb")):  # a link may lead nowhere
        cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
        notebook.with_suffix(".py").write_text("\n\n".join("".join(cell["source"]) for cell in cells))


def content(file: Path) -> str:
    """The text of a file; none where it is no file or too large."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > 16 << 20:
        return ""
    return file.read_text(errors="replace")


def clean_junit(text: str, count: int) -> bool:
    """Whether the file says that every test was run and nothing went wrong."""
    try:
        suites = list(ET.fromstring(text).iter("testsuite"))
        numbers = {
            key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
        }
    except (ET.ParseError, ValueError):
        return False
    return numbers.pop("tests") >= count and not any(numbers.values())


# -- what came of it ---------------------------------------------------------------------------------------------------


def control_holds(verdict: Verdict) -> bool:
    """Whether an honest submission got what it deserves, in all three ways."""
    return set(verdict.all_three) == {verdict.case.name in COPIES}


def undeserved(verdict: Verdict) -> tuple[bool, bool, bool]:
    """In which ways an attack passes whose mathematics is wrong."""
    wrong = verdict.case.hostile and verdict.case.twin not in COPIES
    return tuple(wrong and passed for passed in verdict.all_three)  # type: ignore[return-value]


def row(verdict: Verdict) -> str:
    words = ["PASS" if passed else "fail" for passed in verdict.all_three]
    ids = " ".join(verdict.case.attacks) or "honest"
    names = (f"{verdict.case.group}/{verdict.case.name}", ids, verdict.case.twin or "-")
    return f"| {' | '.join((*names, *words, ', '.join(verdict.leaked) or '-'))} |"


def table(found: list[Verdict]) -> str:
    """All of it, in Markdown."""
    head = [
        "| submission | ids | honest twin | exit code | junit | stdout | leaked |",
        f"| {' | '.join(['---'] * 7)} |",
    ]
    order = {group: place for place, group in enumerate(GROUPS)}
    rows = sorted(found, key=lambda verdict: (order[verdict.case.group], verdict.case.name))
    return "\n".join([*head, *map(row, rows)]) + "\n"


def totals(found: list[Verdict]) -> str:
    """How many attacks with wrong mathematics pass, and how many leak."""
    wrong = [verdict for verdict in found if verdict.case.hostile and verdict.case.twin not in COPIES]
    won = [sum(column) for column in zip(*map(undeserved, wrong), strict=True)] or [0, 0, 0]
    thieves = [verdict for verdict in found if verdict.case.hostile]
    honest = [verdict for verdict in found if not verdict.case.hostile]
    return (
        f"of {len(wrong)} attacks with wrong mathematics pass: {won[0]} by exit code, {won[1]} by junit, "
        f"{won[2]} by stdout; {sum(any(undeserved(verdict)) for verdict in wrong)} in any of the three ways\n"
        f"of {len(thieves)} attacks print something hidden: {sum(bool(verdict.leaked) for verdict in thieves)}\n"
        f"honest submissions that got what they deserve in all three ways: "
        f"{sum(map(control_holds, honest))} of {len(honest)}"
    )


if __name__ == "__main__":
    sys.exit(main())
