"""The zip that Gradescope builds its container from, and how its `run_autograder` finds its way there.

    setup.sh, run_autograder        what Gradescope calls: once for the image, once for each submission
    requirements.txt                what the grader needs
    constraints.txt                 the versions of all of it in the environment that built the zip
    autograder.json                 which assignment, and how it is run
    grader/...                      the grader's own files
    assignments/<id>/...            the assignment with its hidden checks
    solutions/<id>/reference.py     the reference solution

It is made from this list, never from a folder as it stands: what is not named here is not in it. The same files give
the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from importlib import metadata
from importlib.resources import files as resources
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import grader
from grader.errors import ConfigurationError
from grader.lms.gradescope import Visibility
from grader.model import Assignment, Entity, IsolationLevel

SETTINGS: Final = "autograder.json"
DISTRIBUTION: Final = "attention-grader"

_OURS: Final = frozenset({".py", ".html", ".md", ".txt", ".css", ".js", ".toml", ".sh", ".ipynb"})
"""Suffixes of the grader's own files: its code, and what stands beside it."""
_SCRIPTS: Final = ("setup.sh", "run_autograder")
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)


class Settings(Entity, frozen=True, kw_only=True):
    """What the instructor chose when the zip was built.

    Attributes:
        isolation: the least that submissions must be run behind; None for what the checks need.
        hidden: when students see the tests of hidden checks.
    """

    assignment: str
    isolation: IsolationLevel | None = None
    hidden: Visibility = Visibility.VISIBLE


def build(assignment: Assignment, settings: Settings) -> bytes:
    """The zip for one assignment."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(contents(assignment, settings).items()):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, so that permissions are read
            entry.external_attr = (0o100755 if name in _SCRIPTS else 0o100644) << 16
            archive.writestr(entry, content, compresslevel=9)
    return packed.getvalue()


def contents(assignment: Assignment, settings: Settings) -> dict[str, bytes]:
    """All files of the zip, by name."""
    scripts = resources("grader.lms") / "gradescope_files"
    return {
        **{name: (scripts / name).read_bytes() for name in _SCRIPTS},
        **dict(_own_files()),
        **dict(_assignment_files(assignment)),
        SETTINGS: msgspec.json.format(msgspec.json.encode(settings)) + b"\n",
        "requirements.txt": _lines(_requirements()),
        "constraints.txt": _lines(_constraints()),
    }


def read_settings(source: Path) -> Settings:
    """What was chosen, where the zip was unpacked.

    Raises:
        ConfigurationError: the file is not there or is none of ours.
    """
    path = source / SETTINGS
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError) as error:
        hint = "build the zip again with `grade build gradescope` and upload it as it is"
        raise ConfigurationError(f"{SETTINGS} cannot be used: {error}", path=path, hint=hint) from error


# -- what is in it -----------------------------------------------------------------------------------------------------


def _own_files() -> Iterator[tuple[str, bytes]]:
    root = Path(grader.__file__).parent
    for path in sorted(root.rglob("*")):
        name = PurePosixPath("grader", path.relative_to(root).as_posix())
        named = path.suffix in _OURS or path.name in _SCRIPTS
        if named and path.is_file() and not any(part.startswith((".", "__pycache__")) for part in name.parts):
            yield str(name), path.read_bytes()


def _assignment_files(assignment: Assignment) -> Iterator[tuple[str, bytes]]:
    """The settings, the checks, templates of its own, and the reference."""
    folder = PurePosixPath("assignments", assignment.id)
    yield str(folder / "assignment.toml"), (assignment.folder / "assignment.toml").read_bytes()
    for below, suffixes in (("checks", {".py"}), ("templates", {".html", ".md", ".txt", ".css"})):
        for path in sorted((assignment.folder / below).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.suffix in suffixes and path.name[0] != ".":
                yield str(folder / path.relative_to(assignment.folder).as_posix()), path.read_bytes()
    yield str(PurePosixPath("solutions", assignment.id, "reference.py")), assignment.reference.read_bytes()


def _requirements() -> list[str]:
    """What the grader needs, without what only its development does."""
    declared = map(Requirement, metadata.requires(DISTRIBUTION) or ())
    return sorted(str(each) for each in declared if each.marker is None or each.marker.evaluate({"extra": ""}))


def _constraints() -> list[str]:
    """The installed versions of everything that is needed, directly or not, without the tag of a build (`+cpu`)."""
    versions: dict[str, str] = {}
    waiting = [Requirement(each) for each in _requirements()]
    while waiting:
        needed = waiting.pop()
        name = canonicalize_name(needed.name)
        if name in versions:
            continue
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # only needed elsewhere
        versions[name] = found.version.partition("+")[0]
        extras = [*needed.extras, ""]
        for other in map(Requirement, found.requires or ()):
            if other.marker is None or any(other.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(other)
    return sorted(f"{name}=={version}" for name, version in versions.items())


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
