from __future__ import annotations

import ast
import json
import random
import re
import string
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from grader.likeness import ALIKE, FEWEST, likenesses
from grader.model import Assignment, Job, Likeness, Match, SourceFile, Submission

from .reports import sample

SOLUTIONS = Path(__file__).parents[1] / "solutions"
REFERENCE = (SOLUTIONS / "multi-head-attention" / "reference.py").read_text("utf-8")
NAME = "MultiHeadSelfAttention"
STYLES = sorted((SOLUTIONS / "multi-head-attention" / "accepted").glob("*.py"))


def job(student: str, source: str | bytes, target: str = NAME, assignment: Assignment | None = None) -> Job:
    content = source.encode() if isinstance(source, str) else source
    file = SourceFile(path="attention.py", content=content)
    submission = Submission(student=student, origin=Path(student), files=(file,), digest=student)
    match = Match(file=file.path, target=target)
    return Job(key="", seed="", submission=submission, assignment=assignment or sample.assignment(), match=match)


def found(*jobs: Job) -> list[tuple[str, ...]]:
    return [likeness.students for likeness in likenesses(jobs)]


class Disguise(ast.NodeTransformer):
    """Gives other names to all that an author named, and other values to all constants."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for field in ("id", "name", "arg", "attr"):
            own = getattr(node, field, None)
            if isinstance(own, str):
                setattr(node, field, self.names.get(own, own))
        if isinstance(node, ast.Constant) and type(node.value) is int:
            node.value += 1
        return node


def disguised(source: str, names: Iterable[str]) -> str:
    """The source with these names replaced, other numbers, and neither comments nor its layout."""
    return ast.unparse(Disguise({name: f"other_{name}" for name in names}).visit(ast.parse(source)))


# -- what is found -----------------------------------------------------------------------------------------------------


def test_a_copy_under_other_names_is_found_whole() -> None:
    copy = disguised(
        REFERENCE, ("x", "mask", "scores", "weights", "query", "key", "value", "output", "num_heads", NAME)
    )

    [likeness] = likenesses([job("ada", REFERENCE), job("bob", copy, f"other_{NAME}")])

    assert len(set(copy.splitlines()) & set(REFERENCE.splitlines())) < 8
    assert likeness.students == ("ada", "bob")
    assert likeness.similarity == 1
    assert likeness.size >= FEWEST


def test_a_copy_with_one_statement_more_is_found_and_its_likeness_told() -> None:
    edited = REFERENCE.replace("        return ", "        x = x + 0\n        return ")

    [likeness] = likenesses([job("ada", REFERENCE), job("bob", edited)])

    assert ALIKE <= likeness.similarity < 1


def test_code_around_what_is_graded_makes_no_difference() -> None:
    demo = "\n".join(f"def demo_{n}(model, data):\n    return [model(each) for each in data[{n}:]]" for n in range(30))

    [likeness] = likenesses([job("ada", REFERENCE), job("bob", f"{demo}\n{REFERENCE}\nprint(demo_1)\n")])

    assert likeness.similarity == 1


def test_the_order_of_definitions_makes_no_difference() -> None:
    parts = [
        "".join(f"    def m{n}_{k}(self, x):\n        return x.view({k}).sum()\n" for k in range(4)) for n in range(6)
    ]
    classes = [f"class C{n}({f'C{n - 1}' if n else ''}):\n{part}\n" for n, part in enumerate(parts)]

    [likeness] = likenesses([job("ada", "".join(classes), "C5"), job("bob", "".join(reversed(classes)), "C5")])

    assert likeness.similarity == 1


def test_all_who_have_the_same_are_one_group() -> None:
    students = [f"student-{number}" for number in range(20)]

    assert found(*(job(student, REFERENCE) for student in students)) == [tuple(sorted(students))]


def test_a_notebook_is_compared_by_the_code_of_its_cells() -> None:
    assert found(job("ada", b"\n\n" + REFERENCE.encode()), job("bob", REFERENCE)) == [("ada", "bob")]


# -- what is not -------------------------------------------------------------------------------------------------------


def test_solutions_that_are_written_in_another_way_are_not_alike() -> None:
    names = re.compile(r"^class (MultiHead\w*|\w*Attention\w*)", re.MULTILINE)
    jobs = []
    for path in STYLES:
        source = path.read_text("utf-8")
        jobs.append(job(path.stem, source, names.findall(source)[-1]))

    alike = {student for students in found(*jobs) for student in students}

    assert len(jobs) > 30
    assert len(alike) <= 2  # two of them differ by the order of a pair


def test_short_code_is_not_compared() -> None:
    short = "class MultiHeadSelfAttention:\n    def forward(self, x):\n        return x\n"

    assert found(job("ada", short), job("bob", short)) == []


def test_one_student_is_like_nobody_else_in_another_assignment() -> None:
    other = sample.assignment(id="multi-head-attention")

    assert found(job("ada", REFERENCE), job("bob", REFERENCE, assignment=other)) == []


def test_nothing_and_nonsense_are_like_nothing() -> None:
    assert likenesses([]) == ()
    assert found(job("ada", b"\xff\0("), job("bob", b"\xff\0("), job("cleo", "x = ["), job("dan", REFERENCE)) == []


def test_what_students_were_given_makes_nobody_alike(tmp_path: Path) -> None:
    given = sample.assignment(folder=tmp_path)
    own = "".join(f"    def mine(self, x):\n        return x.{word}().view(-1)\n" for word in ("exp", "log"))
    jobs = [job(student, REFERENCE + own, assignment=given) for student in ("ada", "bob")]
    before = found(*jobs)
    (tmp_path / "starter.py").write_text(REFERENCE)

    assert before == [("ada", "bob")]
    assert found(*jobs) == []


def test_the_reference_without_its_solution_is_what_students_were_given(tmp_path: Path) -> None:
    own = "".join(f"    def mine(self, x):\n        return x.{word}().view(-1)\n" for word in ("exp", "log", "sin"))
    marked = f"{REFERENCE}    ### BEGIN SOLUTION\n{own}    ### END SOLUTION\n"
    (tmp_path / "reference.py").write_text(re.sub("### .* SOLUTION", "", REFERENCE))
    unmarked = found(*(job(student, REFERENCE, assignment=given_by(tmp_path)) for student in ("ada", "bob")))
    (tmp_path / "reference.py").write_text(re.sub("### .* SOLUTION", "", REFERENCE) + marked[len(REFERENCE) :])
    given = found(*(job(student, REFERENCE + own, assignment=given_by(tmp_path)) for student in ("ada", "bob")))

    assert unmarked == [("ada", "bob")]
    assert given == []


def given_by(folder: Path) -> Assignment:
    """The sample's assignment with the reference in this folder."""
    return sample.assignment(reference=folder / "reference.py")


def test_a_starter_may_be_a_notebook(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": REFERENCE, "metadata": {}, "outputs": [], "execution_count": None}]
    (tmp_path / "starter.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    )
    given = sample.assignment(folder=tmp_path)

    assert found(*(job(student, REFERENCE, assignment=given) for student in ("ada", "bob"))) == []


def test_a_damaged_starter_stands_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "starter.ipynb").write_text("{")
    given = sample.assignment(folder=tmp_path)

    assert found(*(job(student, REFERENCE, assignment=given) for student in ("ada", "bob"))) == [("ada", "bob")]


# -- exactly those pairs, and quickly ----------------------------------------------------------------------------------


def invented(seed: int) -> str:
    """A class of methods that call made-up library functions."""
    dice = random.Random(seed)
    words = ["".join(dice.choices(string.ascii_lowercase, k=6)) for _ in range(24)]
    body = "".join(f"    def m{n}(self, x):\n        return torch.{word}(x, {n})\n" for n, word in enumerate(words))
    return f"class {NAME}:\n{body}"


def test_no_pair_is_lost_by_looking_at_the_rarest_pieces_only() -> None:
    sources = {}
    for family in range(6):
        lines = invented(family).splitlines(keepends=True)
        for edits in range(5):
            sources[f"{family}-{edits}"] = "".join(lines[: 1 + 2 * (24 - edits)])
    jobs = {student: job(student, source) for student, source in sources.items()}
    pairs = [(a, b) for a in jobs for b in jobs if a < b]
    joined = {students for a, b in pairs for students in found(jobs[a], jobs[b])}
    together = found(*jobs.values())

    assert {a.split("-")[0] == b.split("-")[0] for a, b in joined} == {True}
    assert len(joined) > 30
    for a, b in joined:
        assert any({a, b} <= set(group) for group in together)
    assert {student for pair in joined for student in pair} == {student for group in together for student in group}


@pytest.mark.parametrize(
    "source",
    [
        f"class {NAME}:\n    x = {'(' * 80}1{')' * 80}\n",
        f"class {NAME}:\n    x = {'-' * 3_000}1\n",
        f"class {NAME}:\n    def f(self):\n        return [{'1, ' * 60_000}]\n",
        f"class {NAME}:\n" + "    x = 1\n" * 20_000,
        "".join(f"def f{n}():\n    return f{n + 1}\n" for n in range(3_000)) + f"class {NAME}:\n    x = f0\n",
    ],
    ids=["nested", "signs", "list", "lines", "chain"],
)
def test_strange_code_costs_little(source: str) -> None:
    began = time.process_time()
    likenesses([job("ada", source), job("bob", source), job("cleo", REFERENCE)])

    assert time.process_time() - began < 5


def test_a_likeness_can_be_kept_and_read_back() -> None:
    [likeness] = likenesses([job("ada", REFERENCE), job("bob", REFERENCE)])

    assert msgspec.json.decode(msgspec.json.encode(likeness), type=Likeness) == likeness
