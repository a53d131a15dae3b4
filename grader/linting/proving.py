"""Proves an assignment before anybody hands something in.

solutions   = the reference, its starter, accepted and wrong ones: each must earn what it deserves
mutants     = the reference with one small mistake each: each must lose points, unless it is the same program
orders      = the checks in other orders: none may depend on another that it does not name
salts       = other random inputs: no verdict may depend on them
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grader.errors import ConfigurationError, WarmProcessError
from grader.executors import Executor
from grader.grading import Observer
from grader.linting.behaviour import compared
from grader.linting.mutations import Mutant, diff, mutants
from grader.linting.proof import Aspect, Proof, Survivor
from grader.linting.solutions import GENERAL, Solution, handed_in, solutions
from grader.linting.trials import Bench, Trial, Verdict, name_of
from grader.model import Assignment, CheckSpec, Outcome, Submission
from grader.release.starter import starter

STARTER_SHARE: Final = 0.1
"""The part of all points that an untouched starter may earn at most."""

BUDGET_SHARE: Final = 0.5
"""The part of a budget that a correct solution may need at most: a student's machine may be slower, or busy."""

MOST_LISTED: Final = 20

Made = Mapping[Trial, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to prove, and how thoroughly.

    Attributes:
        executor: makes the executor for these assignments.
        salts: how many different ones; 1 leaves that out, and other orders of the checks.
        mutate: whether mutants are made.
    """

    assignment: Assignment
    executor: Callable[[tuple[Assignment, ...]], Executor]
    salts: int = 10
    mutate: bool = True


def prove(task: Task, observer: Observer) -> Proof:
    """Look at every aspect of an assignment.

    Raises:
        GraderError: the machine does not allow to examine anything.
    """
    assignment = task.assignment
    bench = Bench(assignment, task.executor, observer)
    source = assignment.reference.read_text(encoding="utf-8")
    others = solutions(assignment.reference.parent)
    reference = handed_in("reference.py", source.encode())
    begun, starters = _starter(assignment)
    changed = mutants(source) if task.mutate else ()
    mutated = {mutant: Trial(submission=handed_in(f"{mutant.name}.py", mutant.source.encode())) for mutant in changed}
    first = [Trial(submission=each) for each in (reference, *starters, *(each.submission for each in others))]
    try:
        made = bench.run([*first, *mutated.values()])
    except WarmProcessError as error:
        return Proof(assignment=assignment.id, aspects=(_points(assignment), _refused(error)))
    survivors, strict, equivalent = _survivors(assignment, source, mutated, made)
    proven = (
        _points(assignment),
        _reference(made, reference),
        _begun(made, starters, begun, assignment),
        _accepted(made, others),
        _wrong(made, others),
        _witnesses(assignment, made, others, list(mutated.values())),
        _budget(assignment, made, others),
        *_repeated(task, bench, made, reference, others),
        _mutation(mutated, survivors, strict, equivalent, skipped=not task.mutate),
    )
    return Proof(
        assignment=assignment.id,
        aspects=proven,
        survivors=survivors,
        mutants=len(changed),
        equivalent=equivalent,
    )


def _starter(assignment: Assignment) -> tuple[tuple[str, ...], tuple[Submission, ...]]:
    """Why there is no starter, and the starter."""
    try:
        text = starter(assignment.reference).source
    except ConfigurationError as error:
        return (error.message,), ()
    return (), (handed_in("starter.py", text.encode()),)


# -- what the files say ------------------------------------------------------------------------------------------------


def _points(assignment: Assignment) -> Aspect:
    total, problems = assignment.max_points, []
    if total != int(total):
        problems.append(f"the checks are worth {total:g} points together, which is no whole number")
    handout = assignment.folder / "README.md"
    told = handout.read_text(encoding="utf-8") if handout.is_file() else ""
    for said in re.findall(r"(\d+(?:\.\d+)?) points (?:in total|altogether|in all)", told):
        if float(said) != total:
            problems.append(f"the handout promises {said} points in total; the checks are worth {total:g}")
    hidden = sum(spec.points for spec in assignment.checks if spec.hidden)
    detail = f"{len(assignment.checks)} checks, {total:g} points, {hidden:g} of them hidden"
    claim = "The points sum up to a whole, and to what the handout says."
    return Aspect(id="points", claim=claim, detail=detail, problems=tuple(problems))


# -- what solutions earn -----------------------------------------------------------------------------------------------


REFERENCE: Final = "The reference earns full marks."


def _refused(error: WarmProcessError) -> Aspect:
    return Aspect(id="reference", claim=REFERENCE, problems=(error.message,))


def _reference(made: Made, reference: Submission) -> Aspect:
    verdict = made[Trial(submission=reference)]
    return Aspect(
        id="reference",
        claim=REFERENCE,
        detail=f"{verdict.points:g} of {verdict.max_points:g}",
        problems=tuple(_imperfect("the reference", verdict)),
    )


def _begun(made: Made, starters: Sequence[Submission], why_none: tuple[str, ...], assignment: Assignment) -> Aspect:
    problems, detail = [*why_none], ""
    for each in starters:
        verdict = made[Trial(submission=each)]
        detail = f"{verdict.points:g} of {verdict.max_points:g}"
        if verdict.points > STARTER_SHARE * verdict.max_points:
            problems.append(f"the untouched starter earns {detail}; at most {STARTER_SHARE:.0%} would be about nothing")
        if verdict.findings != {"not-implemented"}:
            told = ", ".join(sorted(verdict.findings)) or "nothing"
            problems.append(f"students with an untouched starter are told {told} instead of not-implemented")
        problems += verdict.internal
        problems += _unfriendly(verdict)
        if verdict.attempt is None:
            problems.append(
                f"the starter does not define {assignment.entry}: leave its first line outside of the marks"
            )
    claim = "The starter earns about nothing, and is told kindly that it is only a starter."
    return Aspect(id="starter", claim=claim, detail=detail, problems=tuple(problems))


def _unfriendly(verdict: Verdict) -> Iterator[str]:
    for result in verdict.attempt.results if verdict.attempt else ():
        if result.outcome is Outcome.FAILED or "Traceback" in result.message:
            yield f"the starter is told by {name_of(result.check)}: {result.message}"


def _imperfect(name: str, verdict: Verdict) -> Iterator[str]:
    if not verdict.full:
        failed = ", ".join(sorted(verdict.failed)) or "no check"
        yield f"{name} earns {verdict.points:g} of {verdict.max_points:g}; it fails {failed}"
    if verdict.findings:
        yield f"{name} is told {', '.join(sorted(verdict.findings))}"
    yield from (f"{name}: {each}" for each in verdict.internal)


def _accepted(made: Made, others: Sequence[Solution]) -> Aspect:
    accepted = [each for each in others if each.kind == "accepted"]
    problems = [line for each in accepted for line in _imperfect(each.name, made[Trial(submission=each.submission)])]
    if not accepted:
        problems.append("there is no accepted solution: nothing shows that another way to write it earns full marks")
    claim = "Every accepted solution earns full marks, and is told no mistake."
    return Aspect(id="accepted", claim=claim, detail=f"{len(accepted)} solutions", problems=tuple(problems))


def _wrong(made: Made, others: Sequence[Solution]) -> Aspect:
    wrong = [each for each in others if each.kind == "wrong"]
    problems = [line for each in wrong for line in _misjudged(each, made[Trial(submission=each.submission)])]
    if not wrong:
        problems.append("there is no wrong solution: nothing shows that a mistake is noticed")
    claim = "Every wrong solution fails exactly the checks that its header names, and is told its own mistake or none."
    return Aspect(id="wrong", claim=claim, detail=f"{len(wrong)} solutions", problems=tuple(problems))


def _misjudged(solution: Solution, verdict: Verdict) -> Iterator[str]:
    if not solution.fails:
        yield f"{solution.name} names no checks that it fails; write a line `# fails: {', '.join(verdict.failed)}`"
    elif verdict.failed != solution.fails:
        unseen = ", ".join(sorted(solution.fails - verdict.failed))
        more = ", ".join(sorted(verdict.failed - solution.fails))
        parts = [f"passes {unseen}" if unseen else "", f"fails {more} besides" if more else ""]
        yield f"{solution.name} {' and '.join(filter(None, parts))}"
    if not solution.findings:
        yield f"{solution.name} names no mistake; write a line `# finding: {', '.join(verdict.findings) or '...'}`"
    elif not (verdict.findings <= solution.findings | GENERAL or verdict.findings & solution.findings):
        told, own = ", ".join(sorted(verdict.findings)), ", ".join(sorted(solution.findings))
        yield f"{solution.name} is told {told}; its mistake is {own}"
    yield from (f"{solution.name}: {each}" for each in verdict.internal)


def _witnesses(assignment: Assignment, made: Made, others: Sequence[Solution], mutated: Sequence[Trial]) -> Aspect:
    trials = [*(Trial(submission=each.submission) for each in others if each.kind == "wrong"), *mutated]
    failed = {name for trial in trials for name in made[trial].failed}
    unseen = [name_of(spec.id) for spec in assignment.checks if name_of(spec.id) not in failed]
    return Aspect(
        id="witnesses",
        claim="Every check is failed by some wrong solution or mutant: it can say no.",
        detail=f"{len(assignment.checks) - len(unseen)} of {len(assignment.checks)} checks",
        problems=tuple(f"nothing that is wrong fails {name}" for name in unseen),
    )


def _budget(assignment: Assignment, made: Made, others: Sequence[Solution]) -> Aspect:
    limits, problems = assignment.limits, []
    attempts = [
        (each.name, attempt)
        for each in others
        if each.kind == "accepted" and (attempt := made[Trial(submission=each.submission)].attempt) is not None
    ]
    name, slowest = max(((name, each.seconds) for name, each in attempts), key=lambda pair: pair[1], default=("", 0.0))
    longest = max((result.seconds for _, each in attempts for result in each.results), default=0.0)
    for what, needed, given in (("all checks", slowest, limits.seconds), ("one check", longest, limits.check_seconds)):
        if needed > BUDGET_SHARE * given:
            problems.append(f"{what} of a correct solution took {needed:.1f} s here, of the {given:g} s that it has")
    detail = (
        f"{slowest:.2f} s of {limits.seconds:g} s for {name}, {longest:.2f} s for its longest check" if name else ""
    )
    claim = f"Correct solutions need at most {BUDGET_SHARE:.0%} of the time they have."
    return Aspect(id="budget", claim=claim, detail=detail, problems=tuple(problems))


# -- the same again ----------------------------------------------------------------------------------------------------


def _repeated(
    task: Task, bench: Bench, made: Made, reference: Submission, others: Sequence[Solution]
) -> tuple[Aspect, Aspect]:
    """Other orders of the checks, and other salts, for all that is correct and for one witness of each check."""
    orders = {"reversed": _reordered(task.assignment.checks[::-1]), "shuffled": _shuffled(task.assignment.checks)}
    chosen = [reference, *(each.submission for each in others if each.kind == "accepted"), *_cover(made, others)]
    skipped = task.salts < 2
    ordered = [Trial(submission=each, order=name) for name in orders for each in chosen]
    salted = [Trial(submission=each, salt=f"salt {number}") for number in range(2, task.salts + 1) for each in chosen]
    problem: tuple[str, ...] = ()
    again: Made = {}
    try:
        again = {} if skipped else bench.run([*ordered, *salted], orders)
    except WarmProcessError as error:
        problem = (f"in another order, checks fail on the reference: {error.message}",)
    listed = tuple(_otherwise(made, again, ordered))
    order = Aspect(
        id="order",
        claim="No check depends on the order in which they run, except where it says so.",
        detail=f"{len(orders)} other orders, {len(chosen)} solutions",
        problems=problem or listed,
        skipped=skipped,
    )
    salt = Aspect(
        id="salts",
        claim="No verdict depends on the random inputs.",
        detail=f"{task.salts} salts, {len(chosen)} solutions",
        problems=tuple(_otherwise(made, again, salted)),
        skipped=skipped,
    )
    return order, salt


def _otherwise(made: Made, again: Made, trials: Sequence[Trial]) -> Iterator[str]:
    for trial in trials:
        if trial in again:
            before, now = made[Trial(submission=trial.submission)], again[trial]
            where = trial.order or trial.salt
            if now.failed != before.failed:
                changed = ", ".join(sorted(now.failed ^ before.failed))
                yield f"{trial.submission.student}, {where}: another verdict of {changed}"
            yield from (f"{trial.submission.student}, {where}: {each}" for each in now.internal)


def _cover(made: Made, others: Sequence[Solution]) -> list[Submission]:
    """A few wrong solutions that together fail every check that wrong ones fail."""
    failed = {
        each.submission: set(made[Trial(submission=each.submission)].failed) for each in others if each.kind == "wrong"
    }
    chosen: list[Submission] = []
    left = set().union(*failed.values()) if failed else set()
    while left:
        best = max(failed, key=lambda each: len(failed[each] & left))
        chosen.append(best)
        left -= failed[best]
    return chosen


def _reordered(wished: Sequence[CheckSpec]) -> tuple[CheckSpec, ...]:
    """The checks in this order, but each behind those that it names."""
    known = {spec.id: spec for spec in wished}
    ordered: dict[str, CheckSpec] = {}

    def put(spec: CheckSpec) -> None:
        for needed in spec.after:
            put(known[needed])
        ordered.setdefault(spec.id, spec)

    for spec in wished:
        put(spec)
    return tuple(ordered.values())


def _shuffled(checks: Sequence[CheckSpec]) -> tuple[CheckSpec, ...]:
    wished = list(checks)
    random.Random(1).shuffle(wished)
    return _reordered(wished)


# -- mutants -----------------------------------------------------------------------------------------------------------


def _survivors(
    assignment: Assignment, source: str, mutated: Mapping[Mutant, Trial], made: Made
) -> tuple[tuple[Survivor, ...], tuple[str, ...], int]:
    """Mutants that no check notices, those that are punished for nothing, and how many are the reference itself."""
    told = compared(assignment, source, list(mutated))
    survivors, strict, equivalent = [], [], 0
    for mutant, trial in mutated.items():
        verdict, difference = made[trial], told.differences.get(mutant.name)
        equivalent += difference == ""
        if verdict.full and difference != "":
            survivors.append(
                Survivor(
                    line=mutant.line,
                    change=mutant.change,
                    difference=difference or told.problem,
                    diff=diff(source, mutant, name=assignment.reference.name),
                )
            )
        elif difference == "" and not verdict.full:
            failed = ", ".join(sorted(verdict.failed))
            strict.append(f"line {mutant.line}, {mutant.change}: the same program in other words fails {failed}")
        strict += [f"line {mutant.line}, {mutant.change}: {each}" for each in verdict.internal]
    return tuple(survivors), tuple(strict), equivalent


def _mutation(
    mutated: Mapping[Mutant, Trial],
    survivors: Sequence[Survivor],
    strict: Sequence[str],
    equivalent: int,
    *,
    skipped: bool,
) -> Aspect:
    said = [f"line {each.line}, {each.change}: no check notices this" for each in survivors]
    detail = f"{len(mutated)} mutants, {equivalent} of them the same program"
    claim = "Every mutant of the reference that is another program loses points, and no other does."
    problems = tuple(itertools.chain(said, strict))
    return Aspect(id="mutants", claim=claim, detail=detail, problems=problems, skipped=skipped)
