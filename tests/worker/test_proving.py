"""The level that is reported is what locked children could not do, whatever anybody believes of the walls."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from grader.walls import CONFINED, EXISTENCE, NOT_LOCKED, PROCESS_ONLY, SEALED, Walls
from grader.worker import landlock, lockdown, namespaces, probes, proving
from grader.worker.lockdown import Plan
from grader.worker.namespaces import Kind, Possible
from grader.worker.nursery import Nursery

from . import somebody

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="walls need Linux")

MEMORY = 4 << 30
SOMEBODY = 1_500_000_000
"""A user that no machine has."""
NONE = Possible(kind=Kind.NONE, flags=0, reason="for a test")
PR_SET_CHILD_SUBREAPER = 36

needs_namespaces = pytest.mark.skipif(
    sys.platform == "linux" and namespaces.possible().kind is Kind.NONE, reason="no namespaces for this user"
)
needs_landlock = pytest.mark.skipif(landlock.abi() < 6, reason="Landlock is missing or too old")


class Nothing:
    """A lock that takes nothing away."""

    def apply(self, **_: object) -> None:
        """Leave everything as it is."""

    def tighten(self) -> None:
        """Leave everything as it is."""


class Dying(Nothing):
    """A lock that ends whoever takes it."""

    def apply(self, **_: object) -> None:
        """End."""
        os._exit(NOT_LOCKED)


class Failing(Nothing):
    """A lock that cannot be taken."""

    def apply(self, **_: object) -> None:
        """Fail."""
        raise OSError(1, "not permitted", "capset")


class Half(Nothing):
    """A lock that fails for notebooks only."""

    def __init__(self, lock: lockdown.Lock) -> None:
        self.apply = lock.apply  # type: ignore[method-assign]

    def tighten(self) -> None:
        """Fail."""
        raise OSError(1, "not permitted", "seccomp")


class With(Nursery):
    """A nursery whose children have another lock."""

    def __init__(self, plan: Plan, lock: Callable[[lockdown.Lock], Nothing]) -> None:
        super().__init__(plan, memory=MEMORY)
        self._other = lock

    def fork(self) -> int:
        """Fork, and forget the lock that belongs to it."""
        pid = super().fork()
        self.lock = self._other(self.lock)  # type: ignore[assignment]
        return pid


class Negligent(Nursery):
    """A nursery to which what children leave behind does not come back, and that kills none of it."""

    def fork(self) -> int:
        """Fork, and let go."""
        self._grouping = False
        pid = super().fork()
        if pid:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        return pid


def as_it_is(prepare: Callable[[], None], make: Callable[[], tuple[Plan, Nursery]]) -> Walls:
    """What is proven in a process of its own, like the warm worker's, after some preparation."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prepare()
            folder = Path(os.path.realpath(tempfile.mkdtemp()))
            folder.chmod(0o711)
            plan, nursery = make()
            walls = proving.prove(plan, nursery, folder)
            nursery.close()
            left = os.listdir(folder)
            shutil.rmtree(folder)
            assert left == []
            os.write(writing, msgspec.json.encode(walls))
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read()  # until everything that was forked has ended
    os.waitpid(pid, 0)
    assert said.startswith(b"{"), said.decode()
    return msgspec.json.decode(said, type=Walls)


def proven(make: Callable[[], tuple[Plan, Nursery]]) -> Walls:
    return as_it_is(lambda: None, make)


def plain(found: Possible | None = None) -> Callable[[], tuple[Plan, Nursery]]:
    """The nursery that the worker uses."""

    def make() -> tuple[Plan, Nursery]:
        plan = lockdown.survey(found)
        return plan, Nursery(plan, memory=MEMORY)

    return make


def locked_with(lock: Callable[[lockdown.Lock], Nothing]) -> Callable[[], tuple[Plan, Nursery]]:
    """A nursery that has this lock for its children, on a machine without namespaces."""

    def make() -> tuple[Plan, Nursery]:
        plan = lockdown.survey(NONE)
        return plan, With(plan, lock)

    return make


# -- this machine ------------------------------------------------------------------------------------------------------


@needs_namespaces
@needs_landlock
def test_all_walls_leave_nothing_open():
    walls = proven(plain())

    assert (walls.level, walls.open, walls.missing) == (SEALED, (), ())
    assert all(layer.stands for layer in walls.layers if layer.needed)


@needs_landlock
def test_without_namespaces_only_that_files_exist_is_to_be_seen():
    walls = proven(plain(NONE))

    assert (walls.level, walls.open) == (CONFINED, (EXISTENCE,))
    assert walls.missing == (
        "own root, processes, network and shared memory: for a test",
        f"still possible: {EXISTENCE}",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are a normal user's already")
@needs_landlock
@pytest.mark.parametrize(("found", "level"), [(None, SEALED), (NONE, CONFINED)], ids=["namespaces", "none"])
def test_a_normal_user_has_the_same_levels_without_control_groups(found, level):
    if found is None and (problem := namespaces._try(namespaces.ALL | namespaces.NEWUSER)):
        pytest.skip(f"refused here: {problem}")
    walls = as_it_is(lambda: somebody.become(SOMEBODY), plain(found))

    assert (walls.level, walls.open) == (level, () if found is None else (EXISTENCE,))
    assert not {layer.name: layer.stands for layer in walls.layers}["user of its own"]


# -- walls that do not stand -------------------------------------------------------------------------------------------


def test_a_nursery_that_does_not_lock_its_children_is_found_out():
    walls = proven(locked_with(lambda _lock: Nothing()))

    assert walls.level == PROCESS_ONLY
    assert {"reading other files", "running programs", "TCP connections", "signalling other processes"} <= {*walls.open}


def test_a_child_that_dies_at_once_is_one_without_walls():
    walls = proven(locked_with(lambda _lock: Dying()))

    assert (walls.level, walls.open) == (PROCESS_ONLY, (proving.UNLOCKED,))


def test_a_child_that_cannot_be_locked_is_one_without_walls_and_says_why():
    walls = proven(locked_with(lambda _lock: Failing()))

    assert walls.level == PROCESS_ONLY
    assert walls.open == (f"{proving.UNLOCKED} ([Errno 1] not permitted: 'capset')",)


def test_walls_that_fail_for_notebooks_alone_count_as_much():
    walls = proven(locked_with(Half))

    assert walls.level == PROCESS_ONLY
    assert f"{proving.UNLOCKED} ([Errno 1] not permitted: 'seccomp')" in walls.open


def test_a_process_that_outlives_its_child_is_found_and_ends_with_the_proof():
    def make() -> tuple[Plan, Nursery]:
        plan = lockdown.survey(NONE)
        return plan, Negligent(plan, memory=MEMORY)

    walls = proven(make)  # returns when the last process is gone that was forked for it

    assert walls.level == PROCESS_ONLY
    assert proving.SURVIVING in walls.open


def test_promises_of_the_plan_are_not_believed():
    def make() -> tuple[Plan, Nursery]:
        plan = lockdown.survey(NONE)
        believed = dataclasses.replace(plan, namespaces=Possible(kind=Kind.ROOT, flags=namespaces.ALL, reason=""))
        return believed, Nursery(plan, memory=MEMORY)

    walls = proven(make)

    assert walls.level == CONFINED
    assert walls.open == (EXISTENCE,)


def test_every_layer_that_does_not_stand_says_why_and_what_to_do():
    def make() -> tuple[Plan, Nursery]:
        plan = dataclasses.replace(lockdown.survey(NONE), landlock=0, unfiltered="no filters here", users=None)
        return plan, Nursery(plan, memory=MEMORY)

    walls = proven(make)
    down = {layer.name: layer for layer in walls.layers if not layer.stands}

    assert {layer.name for layer in walls.layers if layer.needed} <= down.keys()
    assert all(layer.why and layer.remedy for layer in down.values())
    assert not any(layer.remedy for layer in walls.layers if layer.stands)
    assert walls.level == PROCESS_ONLY


def test_other_children_of_the_process_are_left_alone():
    pids = []

    def make() -> tuple[Plan, Nursery]:
        pids.append(os.fork())
        if pids[0] == 0:
            signal.alarm(60)
            signal.pause()
        plan = lockdown.survey(NONE)
        nursery = Nursery(plan, memory=MEMORY)
        ended = nursery.close

        def close() -> None:
            ended()
            os.kill(pids[0], signal.SIGTERM)
            _, status = os.waitpid(pids[0], 0)
            assert os.WTERMSIG(status) == signal.SIGTERM  # it was alive until now

        nursery.close = close  # type: ignore[method-assign]
        return plan, nursery

    assert proven(make).level in (CONFINED, PROCESS_ONLY)


def test_what_is_proven_can_be_sent():
    walls = proven(plain(NONE))

    assert msgspec.json.decode(msgspec.json.encode(walls), type=Walls) == walls
    assert {name.partition(" (")[0] for name in walls.open} <= {*probes.PROBES}
