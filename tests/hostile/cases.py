"""The corpus: what is hostile, what it says must become of it, and the class that is made of it for a run.

A case is a file below `corpus/<group>/`, or a folder whose main file is `attention.py`. Its name is the student's. It
begins with comment lines, a fact each:

    attack:     F3, F16                     ids of the catalogue; only what attacks nothing has none
    assignment: self-attention              self-attention where there is no such line
    twin:       averages                    the honest submission with the same mathematics
    outcome:    test_output_shape killed    (repeated) a check and what must have become of it
    points:     all | some | none
    says:       10 seconds                  in the message of the first named check, or in the reason
    status:     graded | rejected           graded where there is no such line
    link:       notes.py -> @SOLUTIONS@     (repeated) a symbolic link, made where the case is handed in
    rename:     'a\\nb'                      what the file is called when it is handed in, as Python writes it

Words such as @SOLUTIONS@ stand for what an attacker may know of the machine; `prepare` puts the real ones there. It
also hides random words wherever there is something to steal. Whoever finds one in a report has found a leak.
"""

from __future__ import annotations

import ast
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader import submissions
from grader.model import Submission

from .outer import HOST_PID

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
GROUPS = ("forging", "stealing", "wire", "cheating", "resources", "persistence", "injection", "honest")
HONEST = "honest"
VICTIM = "victim"
"""The student whose file is worth stealing."""

LIMITS = {
    "seconds": "10",
    "check_seconds": "2",
    "import_seconds": "2",
    "cell_seconds": "3",
    "notebook_seconds": "8",
    "memory": '"3 GiB"',
}
SECRETS = ("check", "solution", "environment", "submission", "store")
COPIES = {
    "correct": ("00_correct", "g_correct", "m_correct", "s_correct", "zz_correct", VICTIM),
    "correct_multi_head": ("00_correct_multi_head", "m_correct_multi_head", "zz_correct_multi_head"),
    "correct_notebook": ("00_correct_notebook", "m_correct_notebook", "zz_correct_notebook"),
}
"""Correct submissions, handed in at the front, in the middle and at the end."""

ONCE = {"attack", "assignment", "twin", "points", "says", "status", "rename"}
REPEATED = {"outcome", "link"}
LINE = re.compile(r"# (\w+): +(.+)")


class CaseError(Exception):
    """A file of the corpus that does not keep to the format."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One file or folder of the corpus. `about` is what its comment says in plain words."""

    name: str
    group: str
    path: Path
    about: str
    attacks: tuple[str, ...] = ()
    assignment: str = "self-attention"
    twin: str = ""
    outcomes: tuple[tuple[str, str], ...] = ()
    points: str = ""
    says: str = ""
    status: str = "graded"
    links: tuple[tuple[str, str], ...] = ()
    rename: str = ""

    @property
    def hostile(self) -> bool:
        """Whether it attacks something."""
        return self.group != HONEST


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A class on disk, ready to be graded.

    Attributes:
        root: holds `class`, `assignments`, `solutions`, `reports` and whatever the run needs.
        canaries: the hidden words by what they are hidden in.
        students: what a case's student is called, by the name of the case.
        correct: the students whose submissions are right.
    """

    root: Path
    cases: tuple[Case, ...]
    canaries: dict[str, str]
    students: dict[str, str]
    correct: tuple[str, ...]
    mark: str


# -- reading -----------------------------------------------------------------------------------------------------------


def read(corpus: Path = CORPUS) -> tuple[Case, ...]:
    """Every case, by name.

    Raises:
        CaseError: with everything that does not keep to the format.
    """
    found, problems = [], []
    for group in GROUPS:
        for path in sorted((corpus / group).glob("*")):
            if path.name.startswith((".", "__")):
                continue
            try:
                found.append(_case(path, group))
            except CaseError as error:
                problems.append(f"{group}/{path.name}: {error}")
    problems += _across(found)
    if problems:
        raise CaseError("\n".join(problems))
    return tuple(sorted(found, key=lambda case: case.name))


def _case(path: Path, group: str) -> Case:
    facts, about = _header(_beginning(path))
    one = {key: values[0] for key, values in facts.items() if key in ONCE}
    case = Case(
        name=path.name if path.is_dir() else path.stem,
        group=group,
        path=path,
        about=about,
        attacks=tuple(re.split(r",\s*", one.pop("attack", ""))) if "attack" in one else (),
        outcomes=tuple(_two(line.split(), line) for line in facts.get("outcome", [])),
        links=tuple(_two(line.split(" -> "), line) for line in facts.get("link", [])),
        rename=ast.literal_eval(one.pop("rename", "''")),
        **one,
    )
    if problem := _problem(case):
        raise CaseError(problem)
    return case


def _two(words: list[str], line: str) -> tuple[str, str]:
    if len(words) != 2:
        raise CaseError(f"expected two words: {line}")
    return words[0], words[1]


def _beginning(path: Path) -> str:
    """The text that a case begins with."""
    file = path / "attention.py" if path.is_dir() else path
    if not file.exists():
        file = path / "attention.ipynb"
    text = file.read_bytes().decode("utf-8-sig", "replace")
    return _first_cell(text) if file.suffix == ".ipynb" else text


def _first_cell(text: str) -> str:
    try:
        cells = json.loads(text)["cells"]
        return "".join(next(cell["source"] for cell in cells if cell["cell_type"] == "code"))
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        lines = re.findall(
            r'"(#[^"\n]*?)(?:\\n)?"', text[:20_000]
        )  # hostile JSON; its comment can be read all the same
        return "\n".join(lines)


def _header(text: str) -> tuple[dict[str, list[str]], str]:
    """The facts a text begins with, and the comment behind them."""
    facts: dict[str, list[str]] = {}
    lines = iter(text.splitlines())
    for line in lines:
        found = LINE.fullmatch(line.rstrip())
        if found is None:
            break
        if found[1] not in ONCE | REPEATED:
            raise CaseError(f"unknown key {found[1]!r}")
        if found[1] in facts and found[1] in ONCE:
            raise CaseError(f"{found[1]} is named twice")
        facts.setdefault(found[1], []).append(found[2])
    if not facts:
        raise CaseError("it does not begin with its facts")
    about = []
    for line in lines:
        if not line.startswith("#"):
            break
        about.append(line.lstrip("# "))
    return facts, " ".join(about)


def _problem(case: Case) -> str:
    """What is missing or not a known word; empty when nothing is."""
    if case.hostile and not (case.attacks and case.twin):
        return "an attack names its ids and its twin"
    if wrong := [attack for attack in case.attacks if not re.fullmatch(r"[FXPORSH]\d+", attack)]:
        return f"not ids of the catalogue: {wrong}"
    if case.points not in ("", "all", "some", "none"):
        return f"points: {case.points}"
    if case.status not in ("graded", "rejected"):
        return f"status: {case.status}"
    if not case.about:
        return "it does not say in plain words what it tries"
    return ""


def _across(cases: list[Case]) -> Iterator[str]:
    """What is wrong between cases."""
    names = [case.name for case in cases]
    honest = {case.name: case for case in cases if not case.hostile}
    taken = {copy for copies in COPIES.values() for copy in copies} | {again(name) for name in honest}
    for case in cases:
        if names.count(case.name) > 1 or case.name in taken:
            yield f"{case.group}/{case.path.name}: the name is taken"
        if case.twin and case.twin not in honest:
            yield f"{case.group}/{case.path.name}: there is no {case.twin} in {HONEST}/"
        elif case.twin and honest[case.twin].assignment != case.assignment:
            yield f"{case.group}/{case.path.name}: its twin is for {honest[case.twin].assignment}"


# -- preparing ---------------------------------------------------------------------------------------------------------


def prepare(cases: tuple[Case, ...], root: Path) -> Prepared:
    """Hand all cases in below `root`, with correct submissions between them, and hide what could be stolen."""
    canaries = secret_words()
    mark = f"left{secrets.token_hex(4)}"
    handed_in, reports = root / "class", root / "reports"
    handed_in.mkdir(parents=True)
    reports.mkdir()
    (reports / "remarks.txt").write_text(f"for the course's staff only: {canaries['store']}\n")
    hide_in_checks(hurried(root / "assignments"), canaries["check"])
    hide_in_references(root / "solutions", canaries["solution"])
    words = placeholders(
        ASSIGNMENTS=root / "assignments",
        SOLUTIONS=root / "solutions",
        SUBMISSIONS=handed_in,
        REPORTS=reports,
        REPOSITORY=REPOSITORY,
        HOST_PID=HOST_PID,
        MARK=mark,
    )
    students = {case.name: hand_in(case, handed_in, words) for case in cases}
    correct = [case.name for case in cases if case.name in COPIES]
    for case in cases:
        if not case.hostile:
            hand_in_copy(case, handed_in / f"{again(case.name)}{case.path.suffix}", "")
        for copy in COPIES.get(case.name, ()):
            hand_in_copy(
                case, handed_in / f"{copy}{case.path.suffix}", canaries["submission"] if copy == VICTIM else ""
            )
            correct.append(copy)
    return Prepared(root=root, cases=cases, canaries=canaries, students=students, correct=tuple(correct), mark=mark)


def secret_words() -> dict[str, str]:
    """New words to hide. They are spelled in two parts here, so that nobody takes this line for one."""
    return {name: f"canary{'-'}{name}-{secrets.token_hex(16)}" for name in SECRETS}


def placeholders(**words: object) -> dict[bytes, bytes]:
    """What stands for what."""
    return {f"@{name}@".encode(): str(value).encode() for name, value in words.items()}


def hand_in(case: Case, folder: Path, words: dict[bytes, bytes]) -> str:
    """Put a case into the folder of the class. Returns what its student will be called."""
    name = case.rename or case.path.name
    if case.rename and not case.path.is_dir() and not name.endswith(case.path.suffix):
        name += case.path.suffix
    target = folder / name
    if case.path.is_dir():
        shutil.copytree(case.path, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(case.path, target)
    for file in target.rglob("*") if target.is_dir() else [target]:
        if file.is_file() and not file.is_symlink():
            file.write_bytes(replaced(file.read_bytes(), words))
    for link, to in case.links:
        (target if target.is_dir() else folder).joinpath(link).symlink_to(replaced(to.encode(), words).decode())
    [student] = submissions.find([target])[:1] if target.is_file() else _alone(target)
    return student.student


def _alone(target: Path) -> list[Submission]:
    """The one submission that a sub-folder is. Asked for by itself, each of its files would be a student."""
    return [each for each in submissions.find([target.parent]) if each.origin == target]


def again(name: str) -> str:
    """What the second copy of an honest submission is called. Which checks pass for it counts as well: on a busy
    machine one of the two may have been too slow for a check."""
    return f"t_{name}_again"


def hand_in_copy(case: Case, target: Path, canary: str) -> None:
    """A correct submission once more; the victim's holds something that is nobody else's business."""
    shutil.copyfile(case.path, target)
    if canary:
        target.write_text(f"# {canary}\nMINE = {canary!r}\n\n" + target.read_text())


def replaced(content: bytes, words: dict[bytes, bytes]) -> bytes:
    for word, value in words.items():
        content = content.replace(word, value)
    return content


def hurried(target: Path) -> Path:
    """A copy of the assignments whose limits do not let a suite wait."""
    shutil.copytree(REPOSITORY / "assignments", target, ignore=shutil.ignore_patterns("__pycache__"))
    for settings in target.glob("*/assignment.toml"):
        text = settings.read_text()
        for key, value in LIMITS.items():
            text, count = re.subn(rf'(?m)^{key} = ("[^"]*"|\S+)', f"{key} = {value}", text)
            assert count == 1, f"{settings}: {key}"
        settings.write_text(text)
    return target


def hide_in_checks(assignments: Path, canary: str) -> None:
    """Put the word into every file that holds a hidden check: a comment, a constant of the module, and a constant of
    the check itself, which uses both."""
    files = [file for file in assignments.glob("*/checks/test_*.py") if _hidden_check(file.read_text()) is not None]
    assert len({file.parent for file in files}) == len(list(assignments.glob("*/assignment.toml")))
    for file in files:
        text = file.read_text()
        check, lines = _hidden_check(text), text.splitlines()
        assert check is not None
        assert isinstance(check.body[0].end_lineno, int)
        lines.insert(check.body[0].end_lineno, f"    assert KEPT == {canary!r}  # {canary}")
        lines.insert(_after_imports(text), f"KEPT = {canary!r}  # {canary}")
        file.write_text("\n".join(lines) + "\n")


def _hidden_check(text: str) -> ast.FunctionDef | None:
    """The first hidden check of a file."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            marks = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
            if any(word.arg == "hidden" for mark in marks for word in mark.keywords):
                return node
    return None


def _after_imports(text: str) -> int:
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return max(node.end_lineno or 0 for node in imports)


def hide_in_references(target: Path, canary: str) -> None:
    """Put the word into every reference: a comment and a constant."""
    shutil.copytree(REPOSITORY / "solutions", target, ignore=shutil.ignore_patterns("__pycache__"))
    references = list(target.glob("*/reference.py"))
    assert references
    for file in references:
        hide_in_module(file, canary)


def hide_in_module(file: Path, canary: str) -> None:
    """Put the word into a module: a comment and a constant."""
    file.write_text(f"{file.read_text()}\n\nKEPT = {canary!r}  # {canary}\n")
