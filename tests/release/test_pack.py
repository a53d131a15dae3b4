"""Nothing secret is in a pack: what is planted is looked for in every byte, and the scan finds what is put in."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from grader.assignments import load
from grader.cli.main import command
from grader.errors import ConfigurationError, ProblemsFound
from grader.model import Assignment
from grader.release import Pack, build
from grader.release.scanning import leaks
from grader.store import Store

ROOT = Path(__file__).parents[2]
IDS = ("self-attention", "multi-head-attention")


@pytest.fixture(params=IDS)
def course(request: pytest.FixtureRequest, tmp_path: Path) -> Assignment:
    """A copy of a core assignment that may be changed."""
    for room in ("assignments", "solutions"):
        shutil.copytree(
            ROOT / room / request.param,
            tmp_path / room / request.param,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return load(tmp_path / "assignments" / request.param, solutions=tmp_path / "solutions")


@pytest.fixture
def pack(course: Assignment) -> Pack:
    return build(course)


def again(course: Assignment) -> Assignment:
    return load(course.folder, solutions=course.reference.parent.parent)


class Canaries:
    """Random words, each planted somewhere."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def word(self, place: str) -> str:
        return self.words.setdefault(place, f"c{secrets.token_hex(12)}")

    def plant(self, place: str, file: Path, pattern: str, text: str) -> None:
        """Put a text with this place's word in the place of the first match."""
        before = file.read_text()
        after, count = re.subn(pattern, text.replace("CANARY", self.word(place)), before, count=1, flags=re.MULTILINE)
        assert count == 1, place
        file.write_text(after)

    def write(self, place: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"x = '{self.word(place)}'\n")


def planted(course: Assignment) -> Canaries:
    """Canaries wherever something is secret."""
    found, checks, solutions = Canaries(), course.folder / "checks", course.reference.parent
    attention = checks / "test_attention.py"
    found.plant("hidden docstring", attention, r'"""For every query, .*"""', '"""CANARY sums."""')
    found.plant(
        "hidden body",
        attention,
        r"^    properties\.samples_do_not_mix",
        "    print('CANARY')\n    properties.samples_do_not_mix",
    )
    found.plant("hidden name", attention, "def test_order_does_not_matter", "def test_CANARY")
    found.plant(
        "comment above",
        attention,
        r"^@check\(points=1, concept=\"softmax\"",
        '# CANARY\n@check(points=1, concept="softmax"',
    )
    found.plant("hidden helper", attention, r"^EMBED", "def CANARY():\n    return 7\n\n\nEMBED")
    found.plant("hidden constant", attention, r"^EMBED", "SECRET = 'CANARY'\nEMBED")
    found.plant("module comment", attention, r"^EMBED", "# CANARY\nEMBED")
    found.plant("hidden import", attention, r"^from grader.checks", "import math as CANARY\nfrom grader.checks")
    found.plant("settings", course.folder / "assignment.toml", r"^\[submission\]", "# CANARY\n[submission]")
    found.plant("solution", course.reference, r"^        scores = q", "        CANARY = 1\n        scores = q")
    found.plant("solution comment", course.reference, r"^        scores = q", "        # CANARY\n        scores = q")
    for place in ("wrong/planted.py", "accepted/planted.py", "notes.py"):
        found.write(place, solutions / place)
    for place in (
        ".git/config",
        "notes.txt",
        "checks/__pycache__/test_attention.pyc",
        "checks/conftest.py",
        ".DS_Store",
    ):
        found.write(place, course.folder / place)
    found.write("hidden file", checks / "helper.py")
    with Store(course.folder / "reports" / "attempts.sqlite") as store:
        found.words["salt"] = store.salt
    return found


def test_no_byte_of_a_pack_holds_what_was_planted_where_it_is_secret(course: Assignment, tmp_path: Path) -> None:
    canaries = planted(course)
    rooms = ["--assignments", str(tmp_path / "assignments"), "--solutions", str(tmp_path / "solutions")]
    out = tmp_path / "pack"
    done = CliRunner().invoke(command, ["release", course.id, "-o", str(out), *rooms])
    assert done.exit_code == 0, done.output
    written = [path for path in out.rglob("*") if path.is_file()]
    everything = b"\n".join(path.as_posix().encode() + b"\n" + path.read_bytes() for path in written)
    notebook = next(path for path in written if path.suffix == ".ipynb")
    everything += "\n".join(cell["source"] for cell in nbformat.read(notebook, 4).cells).encode()

    assert len(canaries.words) == 21
    assert [place for place, word in canaries.words.items() if word.encode() in everything] == []


def test_what_is_planted_where_students_look_is_found(course: Assignment) -> None:
    canaries = Canaries()
    canaries.plant("handout", course.folder / "README.md", r"^## ", "CANARY\n\n## ")
    canaries.plant("public", course.folder / "checks" / "test_construction.py", r'"""The module can', '"""CANARY can')
    canaries.plant("left alone", course.reference, r"^import math", "import math as CANARY")
    files = build(again(course)).files
    everything = b"\n".join(files.values()).decode()

    assert {place: everything.count(word) for place, word in canaries.words.items()} == {
        **{"handout": 1, "public": 1, "left alone": 2}
    }


def test_a_pack_holds_the_handout_two_starters_settings_and_public_checks(course: Assignment, pack: Pack) -> None:
    module = course.id.replace("-", "_")
    checks = {
        f"assignments/{course.id}/checks/{spec.id.partition('::')[0]}" for spec in course.checks if not spec.hidden
    }

    assert set(pack.files) == {
        *{"README.md", f"{module}.py", f"{module}.ipynb", f"assignments/{course.id}/assignment.toml"},
        *checks,
    }
    assert pack.files["README.md"].decode().startswith((course.folder / "README.md").read_text().rstrip())
    assert "pip install attention-grader" in pack.files["README.md"].decode()


def test_the_checks_in_a_pack_are_the_public_ones_as_they_were(course: Assignment, pack: Pack, tmp_path: Path) -> None:
    student = tmp_path / "student"
    for name, content in pack.files.items():
        (student / name).parent.mkdir(parents=True, exist_ok=True)
        (student / name).write_bytes(content)
    found = load(student / "assignments" / course.id, solutions=tmp_path / "solutions")
    public = {spec for spec in course.checks if not spec.hidden}

    assert set(found.checks) == public
    assert (found.entry, found.contract, found.limits, found.policy) == (
        *(course.entry, course.contract, course.limits, course.policy),
    )


def test_the_notebook_is_valid_and_the_same_each_time(course: Assignment, pack: Pack) -> None:
    name = f"{course.id.replace('-', '_')}.ipynb"
    notebook = nbformat.reads(pack.files[name].decode(), 4)
    nbformat.validate(notebook)

    assert build(course).files == pack.files
    assert [cell["id"] for cell in notebook.cells] == [
        *("title", "install", "imports", course.entry, "self-check-title", "self-check")
    ]
    assert notebook.cells[-1]["source"] == f"%load_ext grader\n%check {course.id}"


def test_the_scan_finds_nothing_in_a_pack(pack: Pack) -> None:
    assert leaks(pack.files, pack.secrets) == ()


LEAKS = {
    "a hidden line": ("README.md", "properties.weights_sum_to_one ( student(embed_dim=\n  EMBED", "a hidden check"),
    "a hidden name": ("README.md", "see `test_weights_sum_to_one`", "test_weights_sum_to_one"),
    "a hidden sentence": (
        "README.md",
        "For every query, the attention\nweights over the keys sum to one.",
        "hidden check",
    ),
    "a line of the solution": ("README.md", "weights = torch.softmax(scores,\n    dim=-1)", "a line of the solution"),
    "a salt": ("README.md", secrets.token_hex(32), "64 hexadecimal digits"),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_the_scan_finds_what_is_put_into_a_file(leak: tuple[str, str, str], pack: Pack) -> None:
    name, text, told = leak
    lines = [line for line in pack.secrets.lines if line.startswith("properties.weights_sum")]
    text = lines[0].replace(",", ",\n ") if text.startswith("properties") else text
    found = leaks({**pack.files, name: pack.files[name] + text.encode()}, pack.secrets)

    assert len(found) == 1
    assert told in found[0]
    assert found[0].startswith(f"{name}: ")


def test_the_scan_reads_the_texts_in_a_notebook(pack: Pack) -> None:
    name = next(name for name in pack.files if name.endswith(".ipynb"))
    notebook = json.loads(pack.files[name])
    notebook["cells"][0]["source"] = ["weights = torch.soft", "max(scores, dim=-1)"]
    notebook["metadata"]["author"] = {"note": "test_weights_sum_to_one"}
    found = leaks({**pack.files, name: json.dumps(notebook).encode()}, pack.secrets)

    assert len(found) == 1 + any("softmax" in line for line in found)
    assert any("test_weights_sum_to_one" in line for line in found)


@pytest.mark.parametrize("name", [".git/config.py", "solutions/x.py", "checks/__pycache__/x.py", "a.sqlite", "../x.py"])
def test_the_scan_finds_files_that_do_not_belong_into_a_pack(name: str, pack: Pack) -> None:
    assert leaks({**pack.files, name: b""}, pack.secrets) == (
        f"{name}: a file of this kind does not belong into a pack",
    )


def test_a_handout_that_gives_the_solution_away_is_refused(course: Assignment) -> None:
    handout = course.folder / "README.md"
    handout.write_text(handout.read_text() + "\nWrite `weights = torch.softmax(scores, dim=-1)`.\n")
    with pytest.raises(ProblemsFound) as caught:
        build(again(course))

    assert caught.value.problems == ("README.md: a line of the solution: weights=torch.softmax(scores,dim=-1)",)


def test_a_public_check_that_calls_a_hidden_one_is_refused(course: Assignment) -> None:
    file = course.folder / "checks" / "test_attention.py"
    file.write_text(
        file.read_text().replace(
            "    properties.tokens_meet(", "    test_weights_sum_to_one\n    properties.tokens_meet("
        )
    )
    with pytest.raises(ProblemsFound) as caught:
        build(again(course))

    assert any("test_weights_sum_to_one" in problem for problem in caught.value.problems)


def test_templates_of_the_assignment_s_own_go_along_and_nothing_else_beside_them(course: Assignment) -> None:
    own = course.folder / "templates"
    own.mkdir()
    (own / "selfcheck.txt").write_text("Dear student, {{ view.correct }} are correct.\n")
    (own / "notes.docx").write_text("who cheated last year")
    (own / "linked.md").symlink_to(course.folder / "README.md")
    files = build(again(course)).files

    assert {path: content for path, content in files.items() if "templates" in path} == {
        f"assignments/{course.id}/templates/selfcheck.txt": b"Dear student, {{ view.correct }} are correct.\n"
    }


def test_a_template_that_gives_the_solution_away_is_refused(course: Assignment) -> None:
    own = course.folder / "templates"
    own.mkdir()
    (own / "student.md").write_text("Write `weights = torch.softmax(scores, dim=-1)`.\n")
    with pytest.raises(ProblemsFound, match=r"student\.md: a line of the solution"):
        build(again(course))


def test_an_assignment_without_a_handout_or_without_public_checks_is_refused(course: Assignment) -> None:
    (course.folder / "README.md").rename(course.folder / "elsewhere.md")
    with pytest.raises(ConfigurationError, match="has no handout"):
        build(course)
    for file in (course.folder / "checks").glob("*.py"):
        marks = re.sub(r"@check\((?!.*hidden)(.*)\)$", r"@check(\1, hidden=True)", file.read_text(), flags=re.MULTILINE)
        file.write_text(marks)
    (course.folder / "elsewhere.md").rename(course.folder / "README.md")
    with pytest.raises(ConfigurationError, match="all checks are hidden"):
        build(again(course))


def test_a_folder_with_something_else_in_it_is_refused_and_one_of_ours_is_written_again(
    course: Assignment, tmp_path: Path
) -> None:
    rooms = ["--assignments", str(tmp_path / "assignments"), "--solutions", str(tmp_path / "solutions")]
    arguments = ["release", course.id, "-o", str(tmp_path / "pack"), *rooms]
    first = CliRunner().invoke(command, arguments, standalone_mode=False)
    second = CliRunner().invoke(command, arguments, standalone_mode=False)
    (tmp_path / "pack" / "notes.txt").write_text("mine")
    third = CliRunner().invoke(command, arguments, standalone_mode=False)

    assert (first.return_value, second.return_value) == (0, 0)
    assert isinstance(third.exception, ConfigurationError)
    assert "notes.txt" in third.exception.message
