"""Children are forked into groups that are used again, and what they leave there is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import forkserver
from grader.worker import cgroups, lockdown
from grader.worker.lockdown import Bounds, Plan
from grader.worker.namespaces import Kind, Possible
from grader.worker.nursery import Nursery

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="walls need Linux")

needs_groups = pytest.mark.skipif(
    sys.platform == "linux" and bool(cgroups.why_not()), reason="no control groups can be made here"
)
MEMORY = 4 << 30
BOUNDS = Bounds(memory=MEMORY, cpu_seconds=20)
PATIENCE = 60.0
WITHOUT_NAMESPACES = Possible(kind=Kind.NONE, flags=0, reason="for a test")
IMPOSSIBLE = 0x00000800
"""CLONE_SIGHAND, which the kernel refuses without shared memory."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Without namespaces: what a child leaves behind does not end with it."""
    return lockdown.survey(WITHOUT_NAMESPACES)


@pytest.fixture
def nursery(plan: Plan) -> Iterator[Nursery]:
    made = Nursery(plan, memory=MEMORY)
    yield made
    made.close()


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(os.path.realpath(tempfile.mkdtemp()))
    yield folder
    shutil.rmtree(folder)


def start(nursery: Nursery, life: Callable[[], object] = signal.pause) -> int:
    """A child that is in its group and does this."""
    entered, told = os.pipe()
    pid = nursery.fork()
    if pid == 0:
        try:
            if nursery.lock._group is not None:
                nursery.lock._group.enter()
            os.write(told, b"x")
            life()
        finally:
            os._exit(0)
    os.close(told)
    with open(entered, "rb") as pipe:
        assert pipe.read(1) == b"x"
    return pid


def end(nursery: Nursery, pid: int) -> None:
    """As the fork server does."""
    forkserver.end(pid, nursery, spared=[child for child in forkserver.children() if child != pid])


def folders() -> set[Path]:
    """The groups that this process has made."""
    return {folder for place in cgroups._places() for folder in place.folder.glob(f"grader-{os.getpid()}-*")}


@needs_groups
def test_a_group_is_used_again_by_the_next_child(nursery):
    seen = []
    for _ in range(3):
        pid = start(nursery)
        seen.append((folders(), [pid in group.members() for group in nursery._made]))
        end(nursery, pid)

    assert len(nursery._made) == 1
    assert [members for _, members in seen] == [[True]] * 3
    assert seen[0] == seen[1] == seen[2]


@needs_groups
def test_children_that_live_together_are_in_different_groups(nursery):
    pids = [start(nursery) for _ in range(3)]
    members = [group.members() for group in nursery._made]
    for pid in pids:
        end(nursery, pid)

    assert sorted(members, key=min) == [{pid} for pid in sorted(pids)]


@needs_groups
def test_what_a_child_leaves_behind_is_killed_when_it_has_ended(nursery, badge):
    def leave() -> None:
        exec(badge.source)
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(600)
                os._exit(0)
        time.sleep(600)

    pid = start(nursery, leave)
    until = time.monotonic() + PATIENCE
    while len(before := badge.bearers()) != 6 and time.monotonic() < until:
        time.sleep(0.01)
    end(nursery, pid)

    assert len(before) == 6
    assert badge.bearers() == []


@needs_groups
def test_a_group_in_which_everybody_was_killed_lets_the_next_child_fork(nursery):
    def fork() -> None:
        if os.fork() == 0:
            time.sleep(600)
        time.sleep(600)

    for _ in range(2):
        pid = start(nursery, fork)
        until = time.monotonic() + PATIENCE
        while len(nursery._made[0].members()) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        members = len(nursery._made[0].members())
        end(nursery, pid)

        assert members == 2


@needs_groups
def test_its_groups_are_gone_when_it_is_closed(plan):
    nursery = Nursery(plan, memory=MEMORY)
    pids = [start(nursery) for _ in range(2)]
    before = folders()
    for pid in pids:
        end(nursery, pid)
    nursery.close()

    assert len(before) >= 2
    assert folders() == set()


def test_a_fork_that_fails_is_an_error_that_costs_nothing(plan):
    bad = dataclasses.replace(plan, namespaces=Possible(kind=Kind.ROOT, flags=IMPOSSIBLE, reason=""))
    nursery = Nursery(bad, memory=MEMORY)
    for _ in range(3):
        with pytest.raises(OSError, match="clone"):
            nursery.fork()
    made = len(nursery._made)
    nursery.close()

    assert made <= 1
    assert folders() == set()


def test_a_child_whose_end_is_news_to_it_is_no_error(nursery):
    nursery.ended(1 << 22)


def test_children_get_locks_one_after_the_other(nursery, plan):
    users = []
    for _ in range(3):
        end(nursery, start(nursery))
        users.append(nursery.lock._user)

    assert len(set(users)) == (1 if plan.users is None else 3)


def test_two_graders_on_one_machine_have_users_of_their_own():
    plan = lockdown.survey()
    if plan.users is None:
        pytest.skip("users cannot be changed here")
    users = []
    for nursery in (Nursery(plan, memory=MEMORY) for _ in range(8)):
        end(nursery, start(nursery))
        users.append(nursery.lock._user)
        nursery.close()

    assert len(set(users)) > 4  # where there are few users, some may meet


def test_without_groups_children_are_forked_all_the_same(plan, monkeypatch):
    nursery = Nursery(plan, memory=MEMORY)
    nursery._grouping = False
    pid = start(nursery)
    end(nursery, pid)
    nursery.close()

    assert nursery._made == []


def test_a_child_that_was_locked_is_in_its_group(nursery, home):
    reading, writing = os.pipe()
    pid = nursery.fork()
    if pid == 0:
        try:
            nursery.lock.apply(keep=writing, home=home, bounds=BOUNDS)
            os.write(writing, b"x")
            signal.pause()
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        locked = pipe.read(1)
    members = [group.members() for group in nursery._made]
    end(nursery, pid)

    assert locked == b"x"
    assert members in ([{pid}], [])


# -- nothing outlives a worker -----------------------------------------------------------------------------------------


def ignore_every_signal() -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_IGN)


LONG_ENOUGH = 30.0
"""Seconds after which a bomb would be over by itself, should nothing end it."""


def bomb(pause: float = 0.02) -> None:
    """Each forks again, deaf and in a session of its own, and goes on."""
    ignore_every_signal()
    until = time.monotonic() + LONG_ENOUGH
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if os.fork() == 0:
                os.setsid()
        time.sleep(pause)
    os._exit(0)


def restless_bomb() -> None:
    """The same without a rest: whoever wants to kill it has to compete with all of them for the CPU."""
    bomb(0)


def daemonise() -> None:
    ignore_every_signal()
    for _ in range(8):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)


def stop() -> None:
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)


def slowness() -> float:
    """How many times longer than alone a piece of plain work takes at this moment; 1 where nobody else computes."""
    began, used = time.monotonic(), time.thread_time()
    while (computed := time.thread_time() - used) < 0.1:
        pass
    return max(1.0, (time.monotonic() - began) / computed)


@pytest.mark.parametrize(
    ("namespaces", "grouping"),
    [(True, True), (True, False), (False, True)],
    ids=["own processes", "own processes, no groups", "no namespaces"],
)
@pytest.mark.parametrize("life", [bomb, restless_bomb, daemonise, stop, ignore_every_signal])
def test_a_family_is_gone_a_second_after_it_was_ended(life, namespaces, grouping, plan, home, badge):
    """As a notebook's process, which may fork. The second is one of a machine that does nothing else: where others
    compute as well, everything takes longer, and what plain work takes just before and just after says how much. What
    others do meanwhile is not seen by that: who was late by chance is not late three times."""
    chosen = lockdown.survey() if namespaces else plan
    if namespaces and not chosen.own_root:
        pytest.skip("no namespaces can be made here")
    if os.geteuid() == 0 and chosen.users is None and (not grouping or cgroups.why_not()):
        pytest.skip("nothing limits how many processes root may have here")

    assert any(ends_within_a_second(life, chosen, grouping, home, badge) for _ in range(3))


def ends_within_a_second(life, plan, grouping, home, badge):
    """Let a child live such a life for half a second, and end it and its family; nobody may be left."""
    forkserver.become_subreaper()
    elders, nursery = forkserver.children(), Nursery(plan, memory=MEMORY)
    nursery._grouping = grouping
    slow = slowness()
    entered, told = os.pipe()
    pid = nursery.fork()
    if pid == 0:
        try:
            nursery.lock.apply(keep=told, home=home, bounds=BOUNDS, forking=True)
            exec(badge.source)
            os.write(told, b"x")
            life()
            time.sleep(60)
        finally:
            os._exit(0)
    os.close(told)
    with open(entered, "rb") as pipe:
        assert pipe.read(1) == b"x"
    time.sleep(0.5)
    before = len(badge.bearers())
    ended = time.monotonic()
    forkserver.end(pid, nursery, spared=elders)
    seconds = time.monotonic() - ended
    after = badge.bearers()
    nursery.close()

    assert before >= (20 if life in (bomb, restless_bomb) else 1)
    assert after == []
    return seconds < max(slow, slowness())
