"""What is checked: which assignments there are, which file is meant, and which class in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from grader import submissions
from grader.assignments import load_all
from grader.errors import ConfigurationError
from grader.matching import match
from grader.model import Assignment, Job, Submission
from grader.policy import search
from grader.text import clean, nearest

FOLDER: Final = "assignments"
SUFFIXES: Final = (".py", ".ipynb")
MOST_FILES: Final = 200
"""Files of a folder that are looked into when none was named."""
_USAGE: Final = "give the file: grade check FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What there is to check in a submission.

    Attributes:
        jobs: one for each assignment that it has a class for.
        reasons: why it has none for the others, as sentences.
    """

    jobs: tuple[Job, ...]
    reasons: tuple[str, ...] = ()


# -- assignments -------------------------------------------------------------------------------------------------------


def assignments(given: Path | None, *, near: Iterable[Path] = (), only: tuple[str, ...] = ()) -> tuple[Assignment, ...]:
    """What is public of the assignments in a folder. Hidden checks are left out, and no reference is looked for.

    Args:
        given: the folder; without one, the nearest called `assignments` in or above this folder, or one of `near`.
        near: folders of the files that are to be checked.
        only: ids.

    Raises:
        ConfigurationError: there is no such folder, or nothing public in it.
    """
    root = given or _nearest([Path(), *near])
    found = load_all(root, solutions=None, only=only, public=True)
    public = tuple(assignment for assignment in found if assignment.checks)
    if not public:
        message = f"there is no public check in {clean(str(root))}"
        raise ConfigurationError(message, path=root, hint="ask whoever gave you this folder")
    return public


def _nearest(starts: Iterable[Path]) -> Path:
    for start in starts:
        here = start.resolve()
        for folder in (here, *here.parents):
            if (folder / FOLDER).is_dir():
                return folder / FOLDER
    hint = (
        "go to the folder that your course gave you, which has the folder `assignments` in it, or say where that is:"
        " --assignments FOLDER"
    )
    raise ConfigurationError("there is no folder `assignments` here or in any folder above", hint=hint)


# -- files -------------------------------------------------------------------------------------------------------------


def choose(given: Sequence[Path], known: tuple[Assignment, ...], *, folder: Path) -> tuple[Path, ...]:
    """The files that are to be checked: those that were given, or the only one in `folder` with a class to check.

    Raises:
        ConfigurationError: a file cannot be what is meant, or nobody can tell which one is.
    """
    for path in given:
        _require_code(path, known)
    if given:
        return tuple(given)
    fitting = _fitting(folder, known)
    if len(fitting) == 1:
        return (fitting[0],)
    if fitting:
        names = ", ".join(clean(path.name) for path in fitting[:10])
        raise ConfigurationError(f"several files here could be meant: {names}", hint=_one_of(fitting))
    wanted = " or ".join(assignment.entry for assignment in known)
    raise ConfigurationError(f"no .py or .ipynb file here defines {wanted}", hint=_USAGE)


def _one_of(paths: Sequence[Path]) -> str:
    return f"say which, for example: grade check {clean(paths[0].name)}"


def _fitting(folder: Path, known: tuple[Assignment, ...]) -> list[Path]:
    """The files of a folder that define something to check."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file()]
    return [path for path in files[:MOST_FILES] if _defines_any(path, known)]


def _defines_any(path: Path, known: tuple[Assignment, ...]) -> bool:
    submission = submissions.single([path], student=path.stem)
    return submission.rejected is None and bool(match(submission, known, explicit=False).matched)


def _require_code(path: Path, known: tuple[Assignment, ...]) -> None:
    name = clean(str(path))
    if path.is_dir():
        inside = _fitting(path, known)
        hint = f"for example: grade check {clean(str(inside[0]))}" if inside else _USAGE
        raise ConfigurationError(f"{name} is a folder; what is checked is a file", path=path, hint=hint)
    if not path.exists():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, beside)
        hint = f"did you mean {clean(str(path.with_name(close)))}?" if close else "check the name, and the folder"
        raise ConfigurationError(f"there is no file {name}", path=path, hint=hint)
    if path.suffix.lower() not in SUFFIXES:
        hint = "what is checked is a .py file or a notebook (.ipynb)"
        raise ConfigurationError(f"{name} is neither", path=path, hint=hint)


def read(paths: Sequence[Path]) -> Submission:
    """Read files that belong together. One that cannot be read rejects the submission, with the reason."""
    return submissions.single(paths, student=paths[0].stem)


# -- classes -----------------------------------------------------------------------------------------------------------


def plan(submission: Submission, known: tuple[Assignment, ...], *, explicit: bool) -> Plan:
    """Find what there is to check. With `explicit`, the assignments were asked for by name."""
    if submission.rejected is not None:
        return Plan(jobs=(), reasons=(submission.rejected,))
    found = match(submission, known, explicit=explicit)
    jobs = []
    for assignment, chosen in found.matched:
        seen = search(submission, chosen, assignment.policy)
        name = seed(assignment, submission)
        job = Job(key=name, seed=name, submission=submission, assignment=assignment, match=chosen)
        jobs.append(msgspec.structs.replace(job, policy_hits=seen.hits))
    return Plan(jobs=tuple(jobs), reasons=tuple(dict.fromkeys(reason for _, reason in found.unmatched)))


def seed(assignment: Assignment, submission: Submission) -> str:
    """What inputs are drawn from: others for other code, the same for the same, and no secret."""
    name = "\0".join(("self-check", assignment.id, submission.digest))
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
