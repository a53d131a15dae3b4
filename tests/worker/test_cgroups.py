from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.worker import cgroups
from grader.worker.cgroups import Group

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups need Linux")

NOBODY = 65534


@pytest.fixture
def group() -> Iterator[Group]:
    """A group that takes 64 MiB and 20 processes."""
    if problem := cgroups.why_not():
        pytest.skip(problem)
    made = Group.make(f"grader-test-{os.getpid()}", memory=64 << 20, pids=20)
    assert made is not None
    yield made
    assert made.kill()
    assert made.remove()


def member(group: Group, code: str) -> subprocess.Popen[str]:
    """A process in the group that runs this."""
    command = [sys.executable, "-I", "-c", f"import os, signal, sys, time; sys.stdin.read(1); {code}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert group.add(process.pid)
    process.stdin.write("x")
    process.stdin.flush()
    return process


FORKS = """
def fork(count=0):
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
                time.sleep(60)
        except OSError:
            print(count, flush=True)
            time.sleep(60)
        count += 1
fork()
"""


def forks(group: Group) -> subprocess.Popen[str]:
    return member(group, f"exec({FORKS!r})")


def test_it_limits_how_many_processes_there_are(group):
    with forks(group) as process:
        assert process.stdout
        count = int(process.stdout.readline())
        members = len(group.members())
        group.kill()

    assert count == 19
    assert members == 20


def test_a_family_that_takes_too_much_memory_is_killed(group):
    process = member(group, "x = bytearray(256 << 20); time.sleep(60)")
    process.communicate()

    assert process.returncode == -signal.SIGKILL


def test_one_that_takes_less_is_not(group):
    process = member(group, "x = bytearray(16 << 20); print(len(x))")

    assert process.communicate()[0] == f"{16 << 20}\n"


def test_killing_leaves_nobody_whatever_they_do(group):
    with forks(group) as process:
        assert process.stdout
        process.stdout.readline()
        began = time.monotonic()
        gone = group.kill()
        seconds = time.monotonic() - began

    assert gone
    assert seconds < 0.5
    assert not [pid for pid in group.members() if cgroups._alive(pid)]


def test_killing_takes_the_stopped_as_well(group):
    process = member(group, "os.kill(os.getpid(), signal.SIGSTOP)")
    time.sleep(0.1)

    assert group.kill()
    assert process.wait() == -signal.SIGKILL
    process.communicate()


def test_the_second_generation_kills_through_its_own_file():
    mounts = [point for kind, _, point, _ in cgroups._mounts() if kind == "cgroup2"]
    folder = next((point / f"grader-test-{os.getpid()}" for point in mounts if os.access(point, os.W_OK)), None)
    if folder is None:
        pytest.skip("no version 2 hierarchy is writable")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"{folder}: {error.strerror}")
    group = Group(folders=(folder,), limited=())
    process = member(group, "os.setsid(); os.fork(); time.sleep(60)")

    assert group.kill()
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    assert group.remove()
    assert not folder.exists()


def test_a_name_that_is_taken_gives_no_group_and_leaves_the_other_one_alone(group):
    name = group.folders[0].name

    assert Group.make(name, memory=1 << 30, pids=5) is None
    assert all(folder.exists() for folder in group.folders)


def test_removing_twice_is_fine(group):
    assert group.remove()
    assert group.remove()


def test_a_group_that_still_has_members_is_not_removed(group):
    process = member(group, "time.sleep(60)")

    assert not group.remove()
    process.kill()
    process.communicate()
    assert group.remove()


def test_trying_leaves_nothing_behind():
    before = [sorted(path.name for path in place.folder.iterdir() if path.is_dir()) for place in cgroups._places()]
    cgroups.why_not()
    after = [sorted(path.name for path in place.folder.iterdir() if path.is_dir()) for place in cgroups._places()]

    assert after == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop being root")
def test_who_may_not_make_one_gets_none_and_a_reason(tmp_path: Path):
    answer, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            made = Group.make("grader-test-nobody", memory=1 << 30, pids=5)
            os.write(said, f"{made} {cgroups.why_not()}".encode())
        os._exit(0)
    os.close(said)
    with open(answer, encoding="utf-8") as lines:
        text = lines.read()
    os.waitpid(pid, 0)

    assert text.startswith(("None groups cannot be made", "None no hierarchy"))
