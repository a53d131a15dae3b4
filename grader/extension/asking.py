"""`%check` and `grader.check`: find what is meant, have it examined, show the card."""

from __future__ import annotations

import atexit
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from grader import selfcheck
from grader.errors import GraderError
from grader.executors.inspection import require_linux
from grader.executors.rooms import QUIET, course
from grader.executors.warm import WarmProcess
from grader.extension.conversation import examine, require_main_thread
from grader.extension.sources import NOTEBOOK, declared, shell, sources, submission
from grader.model import Assignment, Job, Match
from grader.orders import Setup
from grader.reports import selfcheck as report
from grader.scoring import score
from grader.text import nearest

USAGE: Final = "`%check ASSIGNMENT`, or `%check ASSIGNMENT CLASS`"


def magic(line: str) -> None:
    """`%check [ASSIGNMENT [CLASS]]`: run the public checks on a class of this notebook."""
    words = line.split()
    with_name = words[1] if len(words) > 1 else None
    _shown(lambda: _checked(None, words[0] if words else None, name=with_name, further=words[2:]))


def check(target: Any = None, assignment: str | None = None, *, assignments: str | None = None) -> None:
    """Run the public checks on a class, and show what comes of it. See `grader.check`."""
    _shown(lambda: _checked(target, assignment, folder=assignments))


def _shown(make: Any) -> None:
    """Show the card that is made, or why there is none: a student's mistake is told without a traceback of ours."""
    try:
        html, text = _card(make())
    except GraderError as error:
        html, text = report.problem(error.message, error.hint)
    if shell() is None:
        print(text)
        return
    from IPython.display import display

    display({"text/plain": text, "text/html": html}, raw=True)  # type: ignore[no-untyped-call]


def _card(several: tuple[report.Checked, ...]) -> tuple[str, str]:
    return report.card(several), "\n\n".join(report.text(one).rstrip() for one in several)


def _checked(
    target: Any, only: str | None, *, name: str | None = None, further: Any = (), folder: str | None = None
) -> tuple[report.Checked, ...]:
    require_linux()
    require_main_thread()
    if further:
        raise GraderError(f"that is more than %check takes: {' '.join(further)[:80]}", hint=USAGE)
    known = selfcheck.assignments(Path(folder) if folder else None, only=(only,) if only else ())
    if name is not None:
        target = _named(name)
    chosen = list(_targets(known, explicit=only is not None) if target is None else _fits(target, known))
    examiner = _EXAMINERS.warm(known)
    return tuple(_look(examiner, job, own) for job, own in chosen)


def _look(examiner: WarmProcess, job: Job, target: Any) -> report.Checked:
    _, listings = sources(target)
    attempt = examine(examiner, job, target, listings)
    return report.checked(score(job.assignment, job.submission, attempt, reused=False), job.assignment, job.match)


# -- what is meant -----------------------------------------------------------------------------------------------------


def _namespace() -> dict[str, Any]:
    running = shell()
    if running is None:
        raise GraderError("there is no notebook here to look into", hint="name the class: grader.check(SelfAttention)")
    found: dict[str, Any] = running.user_ns
    return found


def _named(name: str) -> Any:
    classes = {own: each for own, each in _namespace().items() if inspect.isclass(each) and not own.startswith("_")}
    if name in classes:
        return classes[name]
    close = nearest(name, classes)
    hint = f"did you mean {close}?" if close else "run the cell that defines it first"
    raise GraderError(f"there is no class {name} in this notebook", hint=hint)


def _targets(known: tuple[Assignment, ...], *, explicit: bool) -> Iterator[tuple[Job, Any]]:
    """What there is to check in the cells that were run: by the names that were asked for, or by what they define."""
    namespace = _namespace()
    cells, _ = sources(None)
    wanted = {job.assignment.id: job for job in selfcheck.plan(cells, known, explicit=explicit).jobs}
    found: list[tuple[Job, Any]] = []
    for assignment in known:
        job = wanted.get(assignment.id)
        names = (assignment.entry, *assignment.aliases)
        name = next((name for name in names if inspect.isclass(namespace.get(name))), None)
        if name is not None and (explicit or job is not None):
            found += _fits(namespace[name], (assignment,))
        elif job is not None and inspect.isclass(namespace.get(job.match.target)):
            found.append((job, namespace[job.match.target]))
    if not found:
        entries = " or ".join(each.entry for each in known)
        raise GraderError(f"there is no class {entries} in this notebook", hint=f"run its cell first, then {USAGE}")
    yield from found


def _fits(target: Any, known: tuple[Assignment, ...]) -> Iterator[tuple[Job, Any]]:
    """The assignments that a class is meant for: by its name; or the only one there is."""
    if not inspect.isclass(target):
        what = f"{type(target).__name__} is no class to check"
        raise GraderError(what, hint="give the class itself, not what it builds: grader.check(SelfAttention)")
    around, _ = sources(target)
    alone = submission(declared(target.__name__))
    for code in (around, alone):
        jobs = [job for job in selfcheck.plan(code, known, explicit=False).jobs if job.match.target == target.__name__]
        if jobs:
            yield from ((msgspec.structs.replace(job, submission=around), target) for job in jobs)
            return
    if len(known) > 1:
        ids = ", ".join(each.id for each in known)
        raise GraderError(
            f"{target.__name__} could be meant for any of {ids}",
            hint=f'say for which: grader.check({target.__name__}, "{known[0].id}")',
        )
    file = around.files[0].path if around.files else NOTEBOOK
    seed = selfcheck.seed(known[0], around)
    match = Match(file=file, target=target.__name__, warnings=(f"{known[0].entry} was asked for",))
    yield Job(key=seed, seed=seed, submission=around, assignment=known[0], match=match), target


# -- the other process -------------------------------------------------------------------------------------------------


class _Examiners:
    """The examiner of this kernel, as long as the assignments stay the same."""

    def __init__(self) -> None:
        self._process: WarmProcess | None = None
        self._for: tuple[str, ...] = ()

    def warm(self, known: tuple[Assignment, ...]) -> WarmProcess:
        """The running one, or another. Interrupted on the way, none is left behind."""
        wanted = tuple(each.digest for each in known)
        if self._process is not None and self._process.alive() and set(wanted) <= set(self._for):
            return self._process
        self.close()
        setup = msgspec.json.encode(Setup(courses=tuple(map(course, known))))
        process = WarmProcess("examiner", environment=QUIET, setup=setup)
        try:
            process.wait()
        except BaseException:
            process.close(patience=0.0)
            raise
        self._process, self._for = process, wanted
        return process

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


_EXAMINERS: Final = _Examiners()
atexit.register(_EXAMINERS.close)
