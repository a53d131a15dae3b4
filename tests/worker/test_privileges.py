from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from grader.worker import namespaces

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="capabilities need Linux")

SOMEBODY = 1_879_048_192
"""A user that no machine has."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

PRELUDE = """
import ctypes, errno, json, os, signal, sys, time
from grader.worker import namespaces, privileges
libc = ctypes.CDLL(None, use_errno=True)
SOMEBODY = int(sys.argv[1])

def tried(act, *arguments):
    "`done`, or the name of the error."
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def mount():
    if libc.mount(b"x", b"/tmp", b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "")

def unshare(flags):
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "")

def status(name):
    with open("/proc/self/status") as lines:
        return next(line.split(":")[1].strip() for line in lines if line.startswith(name))

def say(value):
    print(json.dumps(value), flush=True)
"""


def told(code):
    """What a fresh process says."""
    command = [sys.executable, "-I", "-c", PRELUDE + textwrap.dedent(code), str(SOMEBODY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@as_root
def test_root_becomes_somebody_for_good():
    answer = told(
        """
        os.setgroups([0, 4])
        privileges.drop(SOMEBODY)
        say([os.getresuid(), os.getresgid(), os.getgroups(), tried(os.setuid, 0), tried(os.setgid, 0)])
        """
    )

    assert answer == [[SOMEBODY] * 3, [SOMEBODY] * 3, [], "EPERM", "EPERM"]


@as_root
def test_a_group_of_another_number_can_be_given():
    assert told("privileges.drop(SOMEBODY, 65534); say(os.getresgid())") == [65534] * 3


@pytest.mark.parametrize("uid", [pytest.param("SOMEBODY", marks=as_root), "None"])
def test_no_capability_is_left_and_none_comes_back(uid):
    answer = told(
        f"""
        privileges.drop({uid})
        sets = [status(name) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs")]
        say([sets, privileges.remaining(), tried(mount), tried(unshare, namespaces.NEWNS), tried(os.chroot, "/")])
        """
    )

    assert answer == [["0" * 16] * 4 + ["1"], [], "EPERM", "EPERM", "EPERM"]


@as_root
def test_not_even_user_0_gets_capabilities_through_exec():
    answer = told(
        """
        privileges.drop(None)
        with os.popen("grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status") as lines:
            say(lines.read().split()[1::2])
        """
    )

    assert answer == ["0" * 16] * 3


def test_in_a_user_namespace_all_power_over_it_goes():
    if problem := namespaces._try(namespaces.ALL | namespaces.NEWUSER):
        pytest.skip(f"refused here: {problem}")
    answer = told(
        """
        pid = namespaces.clone(namespaces.ALL | namespaces.NEWUSER)
        if pid == 0:
            before = tried(mount)
            privileges.drop(None)
            say([before, tried(mount), tried(unshare, namespaces.NEWNET), privileges.remaining(), os.getuid()])
            os._exit(0)
        os.waitpid(pid, 0)
        """
    )

    assert answer == ["done", "EPERM", "EPERM", [], os.getuid()]


def test_what_remains_is_named():
    left = told("say(privileges.remaining(SOMEBODY, SOMEBODY))")

    assert set(left) >= {"new privileges through exec", "dumpable", "user", "groups"}
    assert ("capabilities" in left) is (os.geteuid() == 0)


def test_who_is_not_root_cannot_become_somebody_and_hears_about_it():
    assert told("privileges.drop(None); say(tried(privileges.drop, SOMEBODY))") == "EPERM"


@pytest.mark.parametrize("uid", [pytest.param("SOMEBODY", marks=as_root), "None"])
@pytest.mark.parametrize("flags", [pytest.param("namespaces.ALL", marks=as_root), "0"], ids=["cloned", "forked"])
def test_it_dies_with_its_parent(uid, flags):
    answer = told(
        f"""
        alive, held = os.pipe()
        ready, here = os.pipe()
        parent = os.fork()
        if parent == 0:
            if namespaces.clone({flags}) == 0:
                privileges.drop({uid})
                os.write(here, b"x")
            time.sleep(60)
        os.close(held)
        os.read(ready, 1)
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        began = time.monotonic()
        say([len(os.read(alive, 1)), time.monotonic() - began < 1])
        """
    )

    assert answer == [0, True]
