"""The three ways a grader is run in, each inside a room of its own, and what was seen of a run.

    root      as root: every wall can be built                             expected: sealed
    user      as an ordinary user who may make user namespaces             expected: sealed
    refused   as an ordinary user whom a filter refuses namespaces         expected: confined, as in a plain container

`outer.py` makes the rooms. Where one is impossible on this machine, `why_not` says why.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .cases import Prepared
from .outer import REFUSED, Plan
from .verdicts import Run

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PYTHON = [sys.executable, "-B", "-P"]
SOMEBODY = 64321
"""A user and group that nothing on a machine belongs to."""
SECONDS = 1500.0
"""For a whole run."""
SHORT = 60.0
"""What is no longer than this is waited for in silence."""
LONGER = 60.0
"""What making and leaving the room may take."""
FIND_NAMESPACES = """
import sys
from grader.worker import namespaces
found = namespaces.possible()
sys.stderr.write(f"{found.kind.value} {found.reason}")
"""


MAKE_NAMESPACES = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import outer
outer.separate()
outer.mount("trial", "/tmp", "tmpfs", 0)
"""


class RoomError(Exception):
    """A room could not be made, or what was in it did not end as it should."""


class RefusedError(RoomError):
    """This machine does not allow what a room is made of."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A way to run the grader.

    Attributes:
        level: what isolation it must reach.
        ordinary: whether it runs as an ordinary user.
        refuse: whether namespaces are refused.
        namespaces: what the grader itself must find possible there.
    """

    name: str
    level: str
    ordinary: bool
    refuse: bool
    namespaces: str


MODES = {
    mode.name: mode
    for mode in (
        Mode(name="root", level="sealed", ordinary=False, refuse=False, namespaces="root"),
        Mode(name="user", level="sealed", ordinary=True, refuse=False, namespaces="user namespace"),
        Mode(name="refused", level="confined", ordinary=True, refuse=True, namespaces="none"),
    )
}


def plan(
    mode: Mode,
    command: Sequence[str],
    *,
    room: Path,
    folder: Path,
    environment: dict[str, str],
    seconds: float,
    watch: dict[str, tuple[str, bool]] | None = None,
    seats: dict[str, str] | None = None,
) -> Plan:
    """How to run a command in a mode. Everything it needs of this machine stays where it is."""
    packages = sysconfig.get_path("purelib")
    needed = outermost([REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), Path(packages)])
    home = Path.home()
    closed = {str(home)} if home.is_dir() and home != Path("/") else set()
    closed |= {str(place) for path in [*needed, room] if (place := closed_ancestor(path))}
    return Plan(
        command=list(command),
        environment={"PATH": os.defpath, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"} | environment,
        folder=str(folder),
        seconds=seconds,
        user=SOMEBODY if mode.ordinary and os.geteuid() == 0 else None,
        refuse=mode.refuse,
        rooms=[str(room)],
        overlays=[str(path) for path in outermost([REPOSITORY, Path(packages)])],
        closed=[str(path) for path in outermost([Path(place) for place in closed]) if path not in needed],
        kept=[str(path) for path in needed],
        seats=seats or {},
        watch=watch or {},
    )


def outermost(paths: Sequence[Path]) -> list[Path]:
    """Those that do not lie below another one."""
    real = sorted({path.resolve() for path in paths})
    return [path for path in real if not any(path.is_relative_to(other) for other in real if other != path)]


def closed_ancestor(path: Path) -> Path | None:
    """The first folder on the way that other users cannot walk through; the emptied ones do not count."""
    for parent in reversed(path.parents):
        if parent in (Path("/tmp"), Path("/dev/shm")):
            return None
        if not parent.stat().st_mode & 0o001:
            return parent
    return None


def carry_out(plan: Plan) -> dict[str, Any]:
    """Run a plan. What its command prints is part of the answer when it is a short one, and goes to standard error
    as it comes when it is long.

    Raises:
        RefusedError: this machine allows no room.
        RoomError: the room could not be made, or was not left in time.
    """
    room = subprocess.Popen(
        [sys.executable, "-I", "-B", str(HERE / "outer.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if plan.seconds <= SHORT else None,
    )
    try:
        seen, said = room.communicate(plan.dumped(), timeout=plan.seconds + LONGER)
    except subprocess.TimeoutExpired:
        raise RoomError(f"the room was not left within {plan.seconds + LONGER:g} seconds") from None
    finally:
        room.kill()  # and with it everything inside
        room.wait()
    text = (said or b"").decode(errors="replace")
    if room.returncode:
        problem = RefusedError if room.returncode == REFUSED else RoomError
        raise problem(text.strip() or f"the room ended with {room.returncode}")
    return json.loads(seen) | {"said": text}


@cache
def why_not(name: str, folder: Path) -> str:
    """Why a mode is impossible here; empty where it is possible. `folder` is any that can be written to.

    What this machine allows is found with plain system calls.

    Raises:
        RoomError: it allows the mode, but the room has a fault, or the grader finds something else in there.
    """
    mode = MODES[name]
    if not sys.platform.startswith("linux"):
        return "namespaces need Linux"
    if not mode.ordinary and os.geteuid():
        return "not running as root"
    room = folder / f"possible-{name}"
    room.mkdir()
    try:
        made = attempt(mode, MAKE_NAMESPACES, room)
        if mode.namespaces != "none" and made["code"] != 0:
            return f"no namespaces for a {mode.namespaces}: {made['said'].strip().rpartition(chr(10))[2]}"
        found = attempt(mode, FIND_NAMESPACES, room)
    except RefusedError as error:
        return f"no room for a run can be made: {error}"
    finally:
        shutil.rmtree(room, ignore_errors=True)
    if found["code"] != 0:
        raise RoomError(f"the grader's modules cannot be used there: {found['said'].strip()[-500:]}")
    if not found["said"].startswith(mode.namespaces):
        raise RoomError(f"expected namespaces: {mode.namespaces}, found: {found['said'].strip()}")
    return ""


def attempt(mode: Mode, code: str, room: Path) -> dict[str, Any]:
    """Run a few lines of Python in a mode."""
    return carry_out(plan(mode, [*PYTHON, "-c", code], room=room, folder=room, environment={}, seconds=30))


def run(mode: Mode, prepared: Prepared, *, seconds: float = SECONDS, package: Path = REPOSITORY / "grader") -> Run:
    """Grade what was prepared. `package` is the grader; a copy of it is used, which may be spoilt.

    Raises:
        RoomError: the run did not come to its end.
    """
    checkout = prepared.root / "checkout"
    shutil.copytree(package, checkout / "grader", ignore=shutil.ignore_patterns("__pycache__"))
    home, working, result = (prepared.root / name for name in ("home", "working", "result"))
    for folder in (home, working, result):
        folder.mkdir()
    watch = {name: (str(prepared.root / name), False) for name in ("class", "assignments", "solutions", "checkout")}
    watch |= {
        "home": (str(home), False),
        "working": (str(working), False),
        "packages": (sysconfig.get_path("purelib"), True),
    }
    watch |= {place: (place, False) for place in ("/tmp", "/dev/shm", str(Path.home()))}
    watch |= {f"/proc/sysvipc/{what}": (f"/proc/sysvipc/{what}", False) for what in ("shm", "sem", "msg")}
    folders = [prepared.root / name for name in ("class", "assignments", "solutions", "reports")]
    wanted = plan(
        mode,
        [*PYTHON, str(HERE / "inside.py"), *map(str, folders), str(result / "told.json")],
        room=prepared.root,
        folder=working,
        environment={"HOME": str(home), "GRADER_CANARY": prepared.canaries["environment"]},
        seconds=seconds,
        watch=watch,
        seats={
            str(REPOSITORY / "grader"): str(checkout / "grader"),
            str(REPOSITORY / "assignments"): str(prepared.root / "assignments"),
            str(REPOSITORY / "solutions"): str(prepared.root / "solutions"),
        },
    )
    seen = carry_out(wanted)
    if seen["code"] is None:
        raise RoomError(f"the run was not over within {seconds:g} seconds")
    if seen["code"] != 0:
        raise RoomError(f"the run ended with {seen['code']}; its last words are above")
    descriptor = os.open(result / "told.json", os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:
        told = json.load(file)
    return Run.made(mode.name, mode.level, prepared, seen, told)
