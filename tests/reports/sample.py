"""A class made by hand: every outcome, status, way of loading and level of feedback, and names meant to do harm."""

from __future__ import annotations

from pathlib import Path

import msgspec

from grader.model import (
    Assignment,
    Attempt,
    AttentionPicture,
    CellOutcome,
    CellRun,
    Certainty,
    Change,
    Changes,
    CheckGrade,
    CheckResult,
    CheckSpec,
    Cohort,
    Contract,
    Excerpt,
    Finding,
    Flag,
    Grade,
    HiddenFeedback,
    IgnoredFile,
    Isolation,
    IsolationLevel,
    Likeness,
    Limits,
    Loading,
    Outcome,
    Place,
    Policy,
    SecondLook,
    Status,
)

WALLS = Isolation(level=IsolationLevel.CONFINED, missing=("user namespaces are switched off",))

SPECS = (
    CheckSpec(
        id="test_shape.py::test_output", title="The output has the shape of the input.", concept="shape", points=2
    ),
    CheckSpec(
        id="test_softmax.py::test_keys",
        title="For every query, the attention weights over the keys sum to one.",
        concept="softmax",
        points=3,
        after=("test_shape.py::test_output",),
    ),
    CheckSpec(
        id="test_scale.py::test_reference",
        title="The output equals the reference without a mask.",
        concept="scaling",
        points=3,
        hidden=True,
        after=("test_shape.py::test_output",),
    ),
    CheckSpec(
        id="test_masking.py::test_padding",
        title="Padding keys receive no attention.",
        concept="masking",
        points=2,
        hidden=True,
        after=("test_scale.py::test_reference",),
    ),
    CheckSpec(
        id="test_masking.py::test_causal",
        title="No position attends to a later one.",
        concept="masking",
        points=2,
        after=("test_scale.py::test_reference",),
    ),
)

WHERE = Place(file="attention.ipynb", cell=4, line=23, function="forward", source="scores = q @ k.mT / embed_dim**0.5")
SCALED = Finding(
    id="scale-embed-dim",
    certainty=Certainty.PROVEN,
    title="Scores divided by sqrt(embed_dim)",
    explanation="Your output equals the reference with 1/sqrt(embed_dim) instead of 1/sqrt(head_dim), "
    "to 1e-12, and equals no other known variant.",
    where=WHERE,
    evidence={
        "scores are multiplied by": "1/sqrt(embed_dim)",
        "expected": "1/sqrt(d_k)",
        "relative error": 1.2e-12,
        "next best": 0.31,
        "limit": float("inf"),
    },
)
LINES = Excerpt(
    file="attention.ipynb",
    cell=4,
    first=20,
    lines=(
        "    Every head has its own share of the width.",
        '    """',
        "    q, k, v = self.split(x)  # (batch, heads, seq, head_dim)",
        "    scores = q @ k.mT / embed_dim**0.5",
        "    if mask is not None:",
        "        scores = scores.masked_fill(mask == 0, -math.inf)",
        "    return torch.softmax(scores, dim=-1) @ v",
    ),
    inside='"""',
)
WEIGHTS = AttentionPicture(
    tokens=("the", "cat", "sat"),
    masked=True,
    student=(
        ((1.0, 0.0, 0.0), (0.45, 0.55, 0.0), (0.3, 0.25, 0.45)),
        ((1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.2, 0.3, 0.5)),
        ((1.0, 0.0, 0.0), (None, None, None), (-0.2, 0.4, 1.2)),
    ),
    expected=(
        ((1.0, 0.0, 0.0), (0.31, 0.69, 0.0), (0.17, 0.23, 0.6)),
        ((1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.2, 0.3, 0.5)),
        ((1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.2, 0.4, 0.4)),
    ),
)
FLAGGED = Flag(
    id="forbidden-api", message="`torch.nn.MultiheadAttention` is named in a string that is executed.", where=WHERE
)
TWINS = Likeness(assignment="self-attention", students=("frances", "grace"), similarity=0.9375, size=128)
CHANGES = Changes(
    since="2026-03-13T18:00:00+01:00",
    changes=(
        Change(
            student="alan",
            assignment="self-attention",
            before=5.0,
            after=12.0,
            edited=True,
            gained=(SPECS[2].title, SPECS[3].title, SPECS[4].title),
            gone=(SCALED.title,),
        ),
        Change(
            student="frances",
            assignment="self-attention",
            before=12.0,
            after=10.0,
            edited=False,
            lost=(SPECS[3].title,),
            found=("Weights that are not normalised",),
        ),
    ),
    edited=2,
    added=1,
    removed=3,
    grader="0.0.9",
)
HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "=cmd()",
    "../x",
    "evil\u202egnp.exe",
    "CON",
    "Zoë Müller",
    "zoe muller",
    "a`b``c",
    "{{7*7}}",
    "[x](javascript:alert(1))",
    "esc\x1b[2J",
    "@all ![x](http://evil.example/x.png)",
    'new\nline,"quoted"',
    "bytes\udcff",
)


def assignment(feedback: HiddenFeedback = HiddenFeedback.DIAGNOSIS, **changes: object) -> Assignment:
    """The sample's assignment, `self-attention` unless changed."""
    settings: dict[str, object] = {
        "id": "self-attention",
        "title": "Self-attention",
        "folder": Path("assignments/self-attention"),
        "reference": Path("solutions/self-attention/reference.py"),
        "entry": "SelfAttention",
        "aliases": (),
        "contract": Contract(construct="embed_dim, dropout=0.0", call="x, mask=None"),
        "limits": Limits(),
        "policy": Policy(),
        "hidden_feedback": feedback,
        "checks": SPECS,
        "digest": "a" * 64,
    }
    return Assignment(**(settings | changes))  # type: ignore[arg-type]


def passed(spec: CheckSpec) -> CheckGrade:
    """A check that is correct."""
    result = CheckResult(check=spec.id, outcome=Outcome.PASSED, seconds=0.0041234567)
    return CheckGrade(spec=spec, result=result, points=spec.points)


def other(spec: CheckSpec, outcome: Outcome, message: str = "", **more: object) -> CheckGrade:
    """A check with any other outcome."""
    result = CheckResult(check=spec.id, outcome=outcome, message=message, seconds=0.004, **more)  # type: ignore[arg-type]
    return CheckGrade(spec=spec, result=result, points=spec.points if outcome is Outcome.INTERNAL else 0.0)


def waiting(first: CheckSpec, *specs: CheckSpec) -> tuple[CheckGrade, ...]:
    """Checks that were not carried out, because the first one must pass before."""
    return tuple(other(spec, Outcome.BLOCKED, blocked_by=first.id) for spec in specs)


def grade(student: str, *checks: CheckGrade, status: Status = Status.GRADED, **attempt: object) -> Grade:
    """A grade with an attempt, from its checks; what is not given is correct."""
    given = {check.spec.id: check for check in checks}
    all_checks = tuple(given.get(spec.id, passed(spec)) for spec in SPECS)
    return Grade(
        student=student,
        assignment="self-attention",
        status=status,
        points=sum(check.points for check in all_checks),
        max_points=sum(spec.points for spec in SPECS),
        checks=all_checks,
        attempt=Attempt(
            key="k" * 64,
            student=student,
            assignment="self-attention",
            results=tuple(check.result for check in all_checks),
            seconds=0.21,
            isolation=WALLS,
            **attempt,  # type: ignore[arg-type]
        ),
        files=("attention.ipynb",),
        digest="d" * 64,
    )


def absent(student: str, status: Status, reason: str, assignment_id: str = "self-attention") -> Grade:
    """A grade without an attempt."""
    return Grade(student=student, assignment=assignment_id, status=status, points=0.0, max_points=12.0, reason=reason)


def ada() -> Grade:
    """Named and proven mistakes, one cause and its echoes, a hidden check among them."""
    _, _, scale, padding, causal = SPECS
    wrong = grade(
        "ada",
        other(
            scale,
            Outcome.FAILED,
            "The output differs from the reference by up to 0.31 (allowed: 1e-06).",
            where=WHERE,
            detail="expected tensor([0.1, 0.2])",
        ),
        *waiting(scale, padding, causal),
        findings=(
            SCALED,
            Finding(
                id="argument-renamed",
                certainty=Certainty.OBSERVED,
                title="The argument `mask` is called `attn_mask`",
                check=SPECS[0].id,
                evidence={"name": "attn_mask"},
                informative=True,
            ),
        ),
        pictures=(WEIGHTS,),
        excerpts=(LINES,),
        warnings=("Two classes could be meant; SelfAttention in attention.ipynb was graded.",),
        output="epoch 1\tloss 0.5\nepoch 2\tloss 0.4\n",
        flags=(FLAGGED,),
    )
    return changed(wrong, ignored=(IgnoredFile(path="data/weights.pt", reason="not Python or a notebook"),))


def changed(value: Grade, **changes: object) -> Grade:
    """The grade with some fields changed."""
    return msgspec.structs.replace(value, **changes)


def behind(value: Grade, walls: Isolation) -> Grade:
    """The grade, with its code run behind these walls."""
    assert value.attempt
    return changed(value, attempt=msgspec.structs.replace(value.attempt, isolation=walls))


def hostile(name: str) -> Grade:
    """A grade in which the name stands wherever a student's text can stand."""
    where = Place(file=name, line=7, source=name, function=name)
    shape, softmax, scale, padding, causal = SPECS
    made = grade(
        name,
        other(shape, Outcome.ERRORED, f"Your code raised ValueError: {name}", where=where, detail=name),
        *waiting(shape, softmax, scale, padding),
        other(causal, Outcome.FAILED, f"first line\n```\n{name}\n# second"),
        findings=(
            Finding(
                id="shape-error",
                certainty=Certainty.OBSERVED,
                title=f"{name} raised",
                explanation=name,
                where=where,
                evidence={"class": name},
            ),
        ),
        warnings=(name,),
        output=f"{name}\n\n```\n</pre>{name}",
        loading=Loading.DEFINITIONS,
        loading_note=f"line 48 raised NameError: {name}",
        loading_where=where,
        cells=(
            CellRun(cell=2, outcome=CellOutcome.RAISED, error=f"ValueError: {name}", trace=(where, in_cell(2, name))),
        ),
        repairs=(name, f"cell 1: left out {name}"),
        flags=(Flag(id="forbidden-api", message=name, where=where),),
        second_look=SecondLook(
            supplied=("import math", name),
            results=(CheckResult(check=causal.id, outcome=Outcome.ERRORED, message=f"a\n{name}", where=where),),
            findings=(Finding(id="shape-error", certainty=Certainty.OBSERVED, title=name, where=where),),
        ),
    )
    return changed(made, files=(name,), ignored=(IgnoredFile(path=name, reason="not a notebook"),))


def in_cell(cell: int, source: str, line: int = 4, function: str = "") -> Place:
    """A line of a notebook."""
    return Place(file="attention.ipynb", cell=cell, line=line, source=source, function=function)


def partly_run() -> Grade:
    """A notebook of which one cell raised, and one would not end; the rest is fine."""
    trace = (in_cell(3, "demo(torch.ones(3))", 2, "<module>"), in_cell(3, "return attend(x, demo_mask)", 7, "demo"))
    return grade(
        "ingrid",
        loading=Loading.PARTLY,
        loading_note="cell 3 raised NameError: name 'demo_mask' is not defined",
        loading_where=trace[-1],
        cells=(
            CellRun(
                cell=3, outcome=CellOutcome.RAISED, error="NameError: name 'demo_mask' is not defined", trace=trace
            ),
            CellRun(cell=6, outcome=CellOutcome.INTERRUPTED, trace=(in_cell(6, "loss.backward()", 5, "<module>"),)),
        ),
    )


def rescued() -> Grade:
    """A notebook that ended its own process, so that its definitions were graded; some lines had to be left out."""
    _, softmax, *_ = SPECS
    return grade(
        "john",
        other(softmax, Outcome.FAILED, "The weights of a query sum to 0.25 instead of 1."),
        loading=Loading.DEFINITIONS,
        loading_note="cell 4 ended its process",
        cells=(
            CellRun(cell=2, outcome=CellOutcome.RAISED, error="ModuleNotFoundError: No module named 'einops'"),
            CellRun(cell=4, outcome=CellOutcome.KILLED),
            *(CellRun(cell=number, outcome=CellOutcome.NOT_RUN) for number in (5, 6, 7, 8, 9)),
        ),
        repairs=(
            "Cell 1: `!pip install torch` was not run; nothing can be installed here.",
            "Two cells had the same id; the second was given one of its own.",
        ),
    )


def import_forgotten() -> Grade:
    """A notebook without `import math`; with it, two hidden checks are wrong, and a public one waits for them."""
    shape, _, scale, padding, causal = SPECS
    where = in_cell(4, "scores = q @ k.mT / math.sqrt(d)", 23, "forward")
    missing = Finding(
        id="import-missing", certainty=Certainty.OBSERVED, title="missing import", check=shape.id, where=where
    )
    failed = other(scale, Outcome.FAILED, "The output differs by up to 0.31.", where=WHERE, detail="expected [0.1]")
    refused = other(padding, Outcome.FAILED, "A padding key receives attention.", where=where)
    again = tuple(check.result for check in (*map(passed, SPECS[:2]), failed, refused, *waiting(scale, causal)))
    return grade(
        "katherine",
        other(shape, Outcome.ERRORED, "Calling the module raised NameError: name 'math' is not defined", where=where),
        *waiting(shape, *SPECS[1:]),
        findings=(missing,),
        second_look=SecondLook(supplied=("import math",), results=again, findings=(SCALED,)),
    )


def misshapen() -> Grade:
    """Shapes that do not fit, and everything waiting for that."""
    shape, *others = SPECS
    where = Place(file="attention.py", line=40, source="return self.out(joined)", function="forward")
    return changed(
        grade(
            "mary",
            other(shape, Outcome.ERRORED, "Calling the module raised RuntimeError: mat1 and mat2 shapes", where=where),
            *waiting(shape, *others),
            findings=(
                Finding(
                    id="heads-full-width",
                    certainty=Certainty.OBSERVED,
                    title="heads project to full width",
                    explanation="Each head returns 24 features, so 4 heads concatenate to 96, but the last layer"
                    " expects 24.",
                    check=shape.id,
                    where=where,
                    evidence={
                        "left shape": "10 (batch * seq) × 96 (num_heads * embed_dim)",
                        "right shape": "24 (embed_dim) × 24 (embed_dim)",
                    },
                ),
            ),
            excerpts=(
                Excerpt(
                    file="attention.py",
                    first=38,
                    lines=("        joined = torch.cat(heads, dim=-1)", "", "        return self.out(joined)"),
                ),
            ),
        ),
        files=("attention.py",),
    )


def nameless() -> Grade:
    """An output that no known mistake explains, though one of two that are the same is seen beside it."""
    _, _, scale, padding, causal = SPECS
    return grade(
        "radia",
        other(scale, Outcome.FAILED, "The output differs from the reference by up to 0.31 (allowed: 1e-06)."),
        *waiting(scale, padding, causal),
        findings=(
            Finding(
                id="layers-unused",
                certainty=Certainty.PROVEN,
                title="layers never used",
                alternatives=("output-projection-unused", "output-projection-missing"),
            ),
        ),
        unexplained="For a single token the output is right, for several it differs from the reference.",
    )


def ordinary_grades() -> tuple[Grade, ...]:
    """One grade for each outcome, status and way of loading."""
    shape, softmax, _, padding, causal = SPECS
    return (
        ada(),
        changed(grade("alan"), reused=True),
        absent("barbara", Status.MISSING, "No file defines SelfAttention."),
        absent("clara", Status.REJECTED, "The archive holds a path outside itself: ../../etc/passwd"),
        grade(
            "donald",
            other(shape, Outcome.INTERNAL, "", detail="Traceback: examiner lost its worker"),
            status=Status.NEEDS_ATTENTION,
        ),
        changed(
            grade(
                "edsger",
                other(
                    softmax, Outcome.ERRORED, "Your code raised TypeError: forward() takes 2 arguments.", where=WHERE
                ),
                loading=Loading.DEFINITIONS,
                loading_note="line 48 raised NameError: name 'train_loader' is not defined",
                loading_where=Place(file="attention.py", line=48, source="for batch in train_loader:"),
            ),
            files=("attention.py",),
        ),
        grade("frances", other(padding, Outcome.TIMED_OUT, "No answer within 10 seconds.")),
        grade("grace", other(causal, Outcome.KILLED, "The process needed more than 4 GiB of memory.")),
        grade(
            "haskell",
            *(other(spec, Outcome.ERRORED, "Your code raised SyntaxError: invalid syntax.") for spec in SPECS),
            loading=Loading.NOTHING,
            loading_note="SyntaxError: invalid syntax (line 3)",
        ),
        partly_run(),
        rescued(),
        import_forgotten(),
    )


def cohort(*grades: Grade, feedback: HiddenFeedback = HiddenFeedback.DIAGNOSIS, interrupted: bool = False) -> Cohort:
    """A cohort of these grades; or of all ordinary ones and one for each hostile name, the second run of its class."""
    return Cohort(
        grader="0.1.0",
        torch="2.13.0",
        isolation=WALLS,
        assignments=(
            assignment(feedback),
            assignment(id="multi-head-attention", title="Multi-head attention", checks=()),
        ),
        grades=grades or (*ordinary_grades(), *map(hostile, HOSTILE_NAMES)),
        finished="2026-03-14T15:09:26+01:00",
        interrupted=interrupted,
        likenesses=() if grades else (TWINS,),
        changes=None if grades else CHANGES,
    )
