from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from grader.assignments import load, load_all
from grader.errors import ConfigurationError, ProblemsFound
from grader.model import Assignment, HiddenFeedback, Limits, MissingImport

SETTINGS = """\
id = "soft"
title = "Soft attention"

[submission]
entry = "SelfAttention"
aliases = ["Attention"]

[contract]
construct = "embed_dim, dropout=0.0"
call = "x, mask=None"
"""

CHECKS = '''\
from grader.checks import check


@check(points=2, concept="shapes")
def test_shape(student):
    """The output has the shape of the input."""
'''


@pytest.fixture
def write(tmp_path: Path):
    """Write the assignment `soft` and load it."""

    def write(
        settings: str = SETTINGS, *, reference: str | None = "class SelfAttention: ...", **checks: str
    ) -> Assignment:
        folder = tmp_path / "assignments" / "soft"
        (folder / "checks").mkdir(parents=True, exist_ok=True)
        (folder / "assignment.toml").write_text(settings)
        for name, text in (checks or {"test_shapes": CHECKS}).items():
            (folder / "checks" / f"{name}.py").write_text(text)
        if reference is not None:
            (tmp_path / "solutions" / "soft").mkdir(parents=True, exist_ok=True)
            (tmp_path / "solutions" / "soft" / "reference.py").write_text(reference)
        return load(folder, solutions=tmp_path / "solutions")

    return write


def problems_of(write, *arguments: str, **keywords: str) -> tuple[str, ...]:
    with pytest.raises(ProblemsFound) as caught:
        write(*arguments, **keywords)
    return caught.value.problems


def check(name: str, arguments: str = 'points=1, concept="c"', docstring: str = '"""Claim."""') -> str:
    return f"@check({arguments})\ndef {name}(student):\n    {docstring}\n    pass\n\n"


# -- settings ----------------------------------------------------------------------------------------------------------


def test_a_complete_assignment_is_read(write, tmp_path):
    more = """
mask = "nonzero = may attend"
[limits]
seconds = 30
check_seconds = 2.5
import_seconds = 4
cell_seconds = 3
notebook_seconds = 12.5
memory = "512 MiB"
[policy]
forbid = ["torch.nn.MultiheadAttention"]
missing_import = "forgive"
[feedback]
hidden = "hint"
"""

    assignment = write(SETTINGS + more)

    assert assignment.id == "soft"
    assert assignment.title == "Soft attention"
    assert assignment.folder == tmp_path / "assignments" / "soft"
    assert assignment.reference == tmp_path / "solutions" / "soft" / "reference.py"
    assert (assignment.entry, assignment.aliases) == ("SelfAttention", ("Attention",))
    assert assignment.contract.construct == "embed_dim, dropout=0.0"
    assert assignment.contract.call == "x, mask=None"
    assert assignment.limits == Limits(
        seconds=30, check_seconds=2.5, import_seconds=4, cell_seconds=3, notebook_seconds=12.5, memory=512 << 20
    )
    assert assignment.policy.forbid == ("torch.nn.MultiheadAttention",)
    assert assignment.policy.missing_import is MissingImport.FORGIVE
    assert assignment.hidden_feedback is HiddenFeedback.HINT
    assert assignment.max_points == 2


def test_optional_settings_have_defaults(write):
    assignment = write(SETTINGS.replace('aliases = ["Attention"]\n', ""))

    assert assignment.aliases == ()
    assert assignment.limits == Limits()
    assert assignment.policy.forbid == ()
    assert assignment.policy.missing_import is MissingImport.INFORM
    assert assignment.hidden_feedback is HiddenFeedback.DIAGNOSIS
    assert assignment.contract.mask == "nonzero = may attend"


@pytest.mark.parametrize(("written", "size"), [('"4 GiB"', 4 << 30), ('"1.5GiB"', 3 << 29), ("2000000", 2_000_000)])
def test_memory_is_a_size_with_a_unit_or_a_number_of_bytes(write, written, size):
    assert write(f"{SETTINGS}[limits]\nmemory = {written}\n").limits.memory == size


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('[limits]\nseconds = "two"', 'limits.seconds: expected a number, got "two"'),
        ("[limits]\nseconds = true", "limits.seconds: expected a number, got true"),
        ("[limits]\nseconds = 0", "limits.seconds: expected a number above 0, got 0"),
        ("[limits]\ncheck_seconds = -1.5", "limits.check_seconds: expected a number above 0, got -1.5"),
        ("[limits]\nimport_seconds = nan", "limits.import_seconds: expected a number above 0, got NaN"),
        ("[limits]\nseconds = inf", "limits.seconds: expected a number above 0, got Infinity"),
        ("[limits]\nsecnds = 1", 'limits.secnds: unknown key; did you mean "seconds"?'),
        (
            "[limits]\nzzz = 1",
            "limits.zzz: unknown key; known here: seconds, check_seconds, import_seconds, cell_seconds,"
            " notebook_seconds, memory",
        ),
        ('[limits]\ncell_seconds = "two"', 'limits.cell_seconds: expected a number, got "two"'),
        ("[limits]\ncell_seconds = 0", "limits.cell_seconds: expected a number above 0, got 0"),
        ("[limits]\ncell_seconds = 61", "limits.cell_seconds: expected at most notebook_seconds, 60, got 61"),
        (
            "[limits]\ncell_seconds = 5\nnotebook_seconds = 4.5",
            "limits.cell_seconds: expected at most notebook_seconds, 4.5, got 5",
        ),
        ("[limits]\nnotebook_seconds = -1", "limits.notebook_seconds: expected a number above 0, got -1"),
        (
            '[limits]\ncell_seconds = 90\nnotebook_seconds = "long"',
            'limits.notebook_seconds: expected a number, got "long"',
        ),
        ("[limits]\ncell_secs = 1", 'limits.cell_secs: unknown key; did you mean "cell_seconds"?'),
        (
            '[limits]\nmemory = "lots"',
            'limits.memory: expected a size such as "4 GiB" or "512 MiB", or a number of bytes, got "lots"',
        ),
        (
            "[limits]\nmemory = 1.5",
            'limits.memory: expected a size such as "4 GiB" or "512 MiB", or a number of bytes, got 1.5',
        ),
        ("[limits]\nmemory = 4", "limits.memory: expected at least 1 MiB (a plain number counts bytes), got 4"),
        ('[policy]\nforbid = "torch"', 'policy.forbid: expected a list, got "torch"'),
        (
            '[policy]\nforbid = ["torch.nn.X", "sdpa"]',
            'policy.forbid[1]: expected a full dotted name such as "torch.nn.MultiheadAttention", got "sdpa"',
        ),
        ('[policy]\nforbid = ["a.b", "a.b"]', 'policy.forbid: "a.b" stands there twice'),
        (
            '[policy]\nmissing_import = "forgiven"',
            'policy.missing_import: expected one of inform, forgive, got "forgiven"',
        ),
        ("[policy]\nmissing_import = true", "policy.missing_import: expected one of inform, forgive, got true"),
        ('[policy]\nmissing_imports = "inform"', 'policy.missing_imports: unknown key; did you mean "missing_import"?'),
        (
            '[feedback]\nhidden = "diagnose"',
            'feedback.hidden: expected one of outcome, hint, diagnosis, got "diagnose"',
        ),
        ("[feedback]\nhidden = []", "feedback.hidden: expected one of outcome, hint, diagnosis, got []"),
        ("[deadlin]\ndue = 2025-01-01", "deadlin: unknown key; known here: id, submission, title"),
        ("[contract.extra]\na = 1", "contract.extra: unknown key; known here: construct, call, mask"),
    ],
)
def test_a_wrong_setting_is_reported_with_its_key_path(write, setting, problem):
    problems = problems_of(write, f"{SETTINGS}\n{setting}\n")

    assert len(problems) == 1
    assert problems[0].startswith(f"assignment.toml: {problem}")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('id = "soft"', 'id = "hard"', 'id: expected the name of its folder, "soft", got "hard"'),
        ('id = "soft"', "", "id: is missing"),
        ('title = "Soft attention"', 'title = " "', 'title: expected a text, got " "'),
        ('title = "Soft attention"', "", "title: is missing"),
        ('entry = "SelfAttention"', "", "submission.entry: is missing"),
        ('"SelfAttention"', '"Self Attention"', "submission.entry: expected the name of a class or function, got"),
        ('"SelfAttention"', '"class"', 'submission.entry: expected the name of a class or function, got "class"'),
        ('["Attention"]', '["SelfAttention"]', 'submission.aliases: "SelfAttention" is the entry already'),
        ('["Attention"]', '["A", "A"]', 'submission.aliases: "A" stands there twice'),
        ('["Attention"]', '["A", 1]', "submission.aliases[1]: expected the name of a class or function, got 1"),
        ('construct = "embed_dim, dropout=0.0"', "", "contract.construct: is missing"),
        ('"x, mask=None"', '"x, mask="', 'contract.call: expected a parameter list such as "x, mask=None", got'),
        ('"x, mask=None"', '"x, x"', "contract.call: expected a parameter list"),
        ('"x, mask=None"', '"mask=None, x"', "contract.call: expected a parameter list"),
        ('"x, mask=None"', "3", "contract.call: expected a parameter list"),
        ('"x, mask=None"', '"x): pass\\ndef g("', "contract.call: expected a parameter list"),
        ('"x, mask=None"', '"x\\u0000"', "contract.call: expected a parameter list"),
    ],
)
def test_a_wrong_required_setting_is_reported_with_its_key_path(write, old, new, problem):
    problems = problems_of(write, SETTINGS.replace(old, new))

    assert len(problems) == 1
    assert problems[0].startswith(f"assignment.toml: {problem}")


def test_a_cell_may_take_as_long_as_the_notebook(write):
    limits = write(f"{SETTINGS}[limits]\ncell_seconds = 120\nnotebook_seconds = 120\n").limits

    assert (limits.cell_seconds, limits.notebook_seconds) == (120, 120)


def test_where_a_notebook_has_less_than_a_cell_usually_gets_a_cell_gets_no_more_than_that(write):
    limits = write(f"{SETTINGS}[limits]\nnotebook_seconds = 5\n").limits

    assert (limits.cell_seconds, limits.notebook_seconds) == (5, 5)


def test_a_table_that_is_none_is_reported(write):
    settings = SETTINGS.replace("[contract]", "[other]").replace("id =", "contract = 1\nid =")

    problems = problems_of(write, settings)

    assert "assignment.toml: contract: expected a table, got 1" in problems


def test_a_class_without_arguments_has_an_empty_parameter_list(write):
    assert write(SETTINGS.replace('"embed_dim, dropout=0.0"', '""')).contract.construct == ""


def test_all_problems_are_reported_at_once(write):
    settings = SETTINGS.replace("title", "titel") + '[limits]\nseconds = "two"\nmemory = "much"\n'

    problems = problems_of(write, settings, reference=None, test_a="def test_x(student): ...\n")

    places = [re.split(r": (?:expected|unknown|is |there)", problem)[0] for problem in problems]
    assert places == [
        "assignment.toml: id",
        "assignment.toml: title",
        "assignment.toml: limits.seconds",
        "assignment.toml: limits.memory",
        "assignment.toml: titel",
        "checks/test_a.py:1: test_x",
        "checks",
    ]


def test_the_nearest_known_key_is_the_hint_for_an_unknown_one(write):
    problems = problems_of(write, SETTINGS.replace("title", "titel"))

    assert 'assignment.toml: titel: unknown key; did you mean "title"?' in problems


def test_a_missing_reference_is_a_problem_that_names_the_file(write, tmp_path):
    problems = problems_of(write, reference=None)

    expected = tmp_path / "solutions" / "soft" / "reference.py"
    assert problems == (f"assignment.toml: id: there is no reference solution; expected {expected}",)


def test_unreadable_toml_is_reported_with_its_line(write):
    with pytest.raises(ConfigurationError, match="at line 2") as caught:
        write('id = "soft"\ntitle = soft\n')

    assert caught.value.path.name == "assignment.toml"
    assert "double quotes" in caught.value.hint


def test_settings_that_are_not_utf8_are_reported_with_their_line(write, tmp_path):
    write()
    folder = tmp_path / "assignments" / "soft"
    (folder / "assignment.toml").write_bytes(b'id = "soft"\ntitle = "caf\xe9"\n')

    with pytest.raises(ConfigurationError, match="line 2: not UTF-8") as caught:
        load(folder, solutions=tmp_path)

    assert "UTF-8" in caught.value.hint


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no folder") as caught:
        load(tmp_path / "nothing", solutions=tmp_path)

    assert str(tmp_path / "nothing") in caught.value.message
    assert caught.value.hint


def test_a_folder_without_settings_is_reported(tmp_path):
    with pytest.raises(ConfigurationError, match=r"assignment\.toml: cannot be read: No such file") as caught:
        load(tmp_path, solutions=tmp_path)

    assert "write" in caught.value.hint


# -- checks ------------------------------------------------------------------------------------------------------------


def test_a_check_is_read_from_its_mark_and_docstring(write):
    text = '''
@grader.checks.check(points=1.5, hidden=True, concept="masking", after=("test_first", "test_a.py::test_second"))
@pytest.mark.parametrize("size", [1, 2])
def test_padding(student, size):
    """Padding is
    never attended to.

    This is for the instructor.
    """
'''

    spec = write(test_a=check("test_first") + check("test_second") + text).checks[-1]

    assert spec.id == "test_a.py::test_padding"
    assert spec.title == "Padding is never attended to."
    assert (spec.concept, spec.points, spec.hidden) == ("masking", 1.5, True)
    assert spec.after == ("test_a.py::test_first", "test_a.py::test_second")


def test_helpers_and_fixtures_are_no_checks(write):
    helpers = "def helper(): ...\n\n@pytest.fixture\ndef tested(): ...\n\nclass Sizes: ...\n\n"

    assignment = write(test_a=helpers + check("test_x"), conftest="def test_not_here(): ...\n")

    assert [spec.id for spec in assignment.checks] == ["test_a.py::test_x"]


def test_checks_keep_the_order_of_files_and_functions(write):
    assignment = write(test_b=check("test_3"), test_a=check("test_2") + check("test_1"))

    assert [spec.id for spec in assignment.checks] == ["test_a.py::test_2", "test_a.py::test_1", "test_b.py::test_3"]


def test_prerequisites_come_before_what_needs_them(write):
    needs = 'points=1, concept="c", after="test_last"'

    assignment = write(test_a=check("test_1") + check("test_2", needs) + check("test_3"), test_b=check("test_last"))

    assert [spec.id.split("::")[1] for spec in assignment.checks] == ["test_1", "test_last", "test_2", "test_3"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('concept="c"', "points: is missing"),
        ("points=1", "concept: is missing"),
        ('points=0, concept="c"', "points: expected a number above 0, got 0"),
        ('points=-1, concept="c"', "points: expected a number above 0, got -1"),
        ('points="2", concept="c"', 'points: expected a number, got "2"'),
        ('points=1 + x, concept="c"', "points: expected a number, got something computed"),
        ('points=1, concept=""', 'concept: expected a text, got ""'),
        ('points=1, concept="c", hidden=1', "hidden: expected true or false, got 1"),
        ('points=1, concept="c", after=3', "after: expected a check's name, or several in a tuple, got 3"),
        ('points=1, concept="c", after={[]: 1}', "after: expected a check's name"),
        ('points=1, concept="c", after="test_y"', 'after: there is no check "test_y"; did you mean "test_x"?'),
        ('points=1, concept="c", after="zzz"', 'after: there is no check "zzz"'),
        ('points=1, concept="c", after="test_x"', "after: goes round in a circle: test_x needs test_x"),
        ('points=1, concept="c", hiden=True', 'hiden: unknown key; did you mean "hidden"?'),
        ('points=1, concept="c", **more', "**: unknown key"),
        ('1, points=1, concept="c"', "takes one @check, and its arguments by name"),
    ],
)
def test_a_wrong_mark_is_reported_with_file_line_and_function(write, arguments, problem):
    problems = problems_of(write, test_a=check("test_x", arguments))

    assert len(problems) == 1
    assert problems[0].startswith(f"checks/test_a.py:2: test_x: {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (check("test_x", docstring="pass"), "2: test_x: has no docstring; its first paragraph is what a student reads"),
        (check("test_x", docstring='"""  """'), "2: test_x: has no docstring"),
        (check("padding"), "2: padding: pytest would not run it; let its name begin with test_"),
        ("def test_x(student): ...", "1: test_x: is not declared; mark it @check(points=..., concept=...)"),
        (f"@check(points=1, concept='c')\n{check('test_x')}", "3: test_x: takes one @check"),
        (check("test_x") * 2, "7: test_x: this name is taken by test_a.py::test_x; every check has its own"),
        ("class TestMask:\n    def test_x(self): ...", "1: TestMask: checks are plain functions"),
        ("async def test_x(student): ...", "1: test_x: checks are plain functions"),
        ("x = 1\ndef test_x(:\n", "2: not valid Python: invalid syntax"),
        ("x = '\0'", "1: not valid Python: source code string cannot contain null bytes"),
    ],
)
def test_what_is_not_a_proper_check_is_reported_with_file_and_line(write, text, problem):
    problems = problems_of(write, test_a=text, test_z=check("test_good"))

    assert len(problems) == 1
    assert problems[0].startswith(f"checks/test_a.py:{problem}")


def test_a_mark_without_arguments_lacks_both(write):
    problems = problems_of(write, test_a='@check\ndef test_x(student):\n    """Claim."""\n')

    assert [problem.split(": ", 2)[2] for problem in problems] == ["concept: is missing", "points: is missing"]


def test_names_are_unique_in_an_assignment_not_only_in_a_file(write):
    problems = problems_of(write, test_a=check("test_x"), test_b=check("test_x"))

    assert problems == ("checks/test_b.py:2: test_x: this name is taken by test_a.py::test_x; every check has its own",)


def test_a_circle_is_reported_with_all_that_are_in_it(write):
    def needs(name: str) -> str:
        return f'points=1, concept="c", after="{name}"'

    text = check("test_a", needs("test_b")) + check("test_b", needs("test_c")) + check("test_c", needs("test_a"))

    problems = problems_of(write, test_circle=text)

    circle = problems[0].split("circle: ")[1].split(" needs ")
    assert len(problems) == 1
    assert sorted(pairwise(circle)) == [
        ("test_a", "test_b"),
        ("test_b", "test_c"),
        ("test_c", "test_a"),
    ]


def test_an_assignment_without_checks_is_a_problem(write):
    problems = problems_of(write, test_a="")

    assert problems == ("checks: there are no checks; expected functions marked @check in checks/test_*.py",)


# -- digest ------------------------------------------------------------------------------------------------------------


def test_the_digest_repeats(write):
    assert write().digest == write().digest


@pytest.mark.parametrize(
    "change",
    [
        {"settings": f"{SETTINGS}# a comment\n"},
        {"test_shapes": f"{CHECKS}# a comment\n"},
        {"conftest": "", "test_shapes": CHECKS},
        {"reference": "# another"},
    ],
)
def test_the_digest_changes_with_settings_checks_and_reference(write, change):
    before = write().digest

    assert write(**change).digest != before


def test_the_digest_does_not_depend_on_where_the_assignment_is(write, tmp_path):
    before = write().digest
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "assignments").rename(tmp_path / "elsewhere" / "assignments")

    assert load(moved / "soft", solutions=tmp_path / "solutions").digest == before


# -- all assignments ---------------------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path):
    """Two good assignments, `hard` and `soft`."""
    for name in ("soft", "hard"):
        (tmp_path / "assignments" / name / "checks").mkdir(parents=True)
        (tmp_path / "assignments" / name / "assignment.toml").write_text(SETTINGS.replace('"soft"', f'"{name}"'))
        (tmp_path / "assignments" / name / "checks" / "test_a.py").write_text(check("test_x"))
        (tmp_path / "solutions" / name).mkdir(parents=True)
        (tmp_path / "solutions" / name / "reference.py").write_text("")
    (tmp_path / "assignments" / "README.md").write_text("")
    (tmp_path / "assignments" / "data").mkdir()
    return tmp_path


def ids(course: Path, *only: str) -> list[str]:
    return [a.id for a in load_all(course / "assignments", solutions=course / "solutions", only=only)]


def test_all_assignments_are_read_by_id(course):
    assert ids(course) == ["hard", "soft"]


def test_only_those_asked_for_are_read(course):
    assert ids(course, "soft") == ["soft"]
    assert ids(course, "soft", "hard", "soft") == ["hard", "soft"]


def test_a_broken_assignment_that_was_not_asked_for_does_no_harm(course):
    (course / "assignments" / "hard" / "assignment.toml").write_text("???")

    assert ids(course, "soft") == ["soft"]


def test_an_unknown_name_is_answered_with_the_nearest(course):
    with pytest.raises(ConfigurationError, match="no assignment 'sotf'") as caught:
        ids(course, "sotf")

    assert caught.value.hint == "did you mean 'soft'?"


def test_a_name_like_no_other_is_answered_with_those_that_are_known(course):
    with pytest.raises(ConfigurationError) as caught:
        ids(course, "entirely-else")

    assert caught.value.hint == "known assignments: hard, soft"


def test_problems_of_several_assignments_are_reported_at_once(course):
    for name in ("soft", "hard"):
        (course / "solutions" / name / "reference.py").unlink()

    with pytest.raises(ProblemsFound) as caught:
        ids(course)

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "hard/assignment.toml",
        "soft/assignment.toml",
    ]


def test_checks_without_settings_are_an_assignment_that_lacks_them(course):
    (course / "assignments" / "soft" / "assignment.toml").unlink()

    with pytest.raises(ConfigurationError, match=r"assignment\.toml: cannot be read") as caught:
        ids(course)

    assert caught.value.path == course / "assignments" / "soft" / "assignment.toml"


@pytest.mark.parametrize("folder", ["missing", "assignments/data"])
def test_a_root_without_assignments_is_answered_with_what_one_looks_like(course, folder):
    with pytest.raises(ConfigurationError, match=r"no folder|no assignments") as caught:
        load_all(course / folder, solutions=course)

    assert "assignment.toml" in caught.value.hint


# -- the assignments of this project -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["self-attention", "multi-head-attention"])
def test_the_settings_of_the_core_assignments_have_no_problem(name, tmp_path):
    ours = Path(__file__).parents[1] / "assignments" / name / "assignment.toml"
    folder = tmp_path / name
    (folder / "checks").mkdir(parents=True)
    (folder / "assignment.toml").write_bytes(ours.read_bytes())
    (folder / "checks" / "test_a.py").write_text(check("test_x"))
    (tmp_path / "solutions" / name).mkdir(parents=True)
    (tmp_path / "solutions" / name / "reference.py").write_text("")

    assignment = load(folder, solutions=tmp_path / "solutions")

    assert assignment.limits == Limits()
    assert assignment.policy.missing_import is MissingImport.INFORM
    assert assignment.entry not in assignment.aliases
    assert "torch.nn.functional.scaled_dot_product_attention" in assignment.policy.forbid


def test_what_students_have_needs_no_reference(write, tmp_path):
    folder = write().folder
    with_reference = load(folder, solutions=tmp_path / "solutions")
    public = load(folder, solutions=None)

    assert public.checks == with_reference.checks
    assert not public.reference.exists()
    assert public.digest != with_reference.digest
    assert load_all(folder.parent, solutions=None) == (public,)


def test_hidden_checks_need_a_reference_that_tries_them_first(write):
    folder = write(test_shapes=CHECKS.replace("points=2", "points=2, hidden=True")).folder
    with pytest.raises(ProblemsFound) as caught:
        load(folder, solutions=None)

    assert caught.value.problems == ("checks: some are hidden, and cannot be run without the reference solution",)
