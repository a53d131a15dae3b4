from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from grader.worker import namespaces
from grader.worker.namespaces import Kind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces need Linux")

PRELUDE = """
import json, os, resource, select, signal, socket, sys, threading, time
from grader.worker import namespaces, privileges
flags = int(sys.argv[1])

def in_child(act, flags=flags):
    "What `act` returns in a cloned child, or None, and how the child ended."
    answer, said = os.pipe()
    pid = namespaces.clone(flags)
    if pid == 0:
        try:
            os.close(answer)
            os.write(said, json.dumps(act()).encode())
        finally:
            os._exit(0)
    os.close(said)
    text = open(answer, "rb").read()
    return (json.loads(text) if text else None), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.fixture(params=[Kind.ROOT, Kind.USER], ids=["root", "user-namespace"])
def flags(request):
    """What to clone with."""
    if request.param is Kind.ROOT and os.geteuid() != 0:
        pytest.skip("not running as root")
    wanted = namespaces.ALL | (namespaces.NEWUSER if request.param is Kind.USER else 0)
    if problem := namespaces._try(wanted):
        pytest.skip(f"refused here: {problem}")
    return wanted


of_a_user = pytest.mark.parametrize("flags", [Kind.USER], ids=["user-namespace"], indirect=True)


def told(code, flags):
    """What a fresh process says that may clone; the code says it with `print(json.dumps(...))`."""
    command = [sys.executable, "-I", "-c", PRELUDE + textwrap.dedent(code), str(flags)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_clone_returns_like_fork(flags):
    answer = told(
        """
        act = lambda: (os.getpid(), os.getppid(), os.getuid(), os.getgid())
        print(json.dumps([*in_child(act), os.getuid(), os.getgid()]))
        """,
        flags,
    )

    assert answer == [[1, 0, os.getuid(), os.getgid()], 0, os.getuid(), os.getgid()]


def test_python_in_the_child_knows_that_it_was_forked(flags):
    answer = told(
        """
        steps = []
        for name in ("before", "after_in_child", "after_in_parent"):
            os.register_at_fork(**{name: lambda name=name: steps.append(name)})

        def act():
            seen = []
            threads = [threading.Thread(target=lambda: seen.append(threading.get_native_id())) for _ in range(3)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            signal.pthread_kill(threading.get_ident(), 0)
            pid = os.fork()
            if pid == 0:
                os._exit(7)
            ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            return steps[:2], len(set(seen)), threading.main_thread() is threading.current_thread(), ended

        print(json.dumps([*in_child(act)[0], steps[:2]]))
        """,
        flags,
    )

    assert answer == [["before", "after_in_child"], 3, True, 7, ["before", "after_in_parent"]]


def test_one_kill_ends_all_that_the_child_started_within_a_tenth_of_a_second(flags):
    seconds, started = told(
        """
        alive, held = os.pipe()
        ready, here = os.pipe()

        def act():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for _ in range(5):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork():
                        os._exit(0)
                    os.setsid()
                    os.write(here, b"x")
                    time.sleep(60)
            time.sleep(60)

        pid = namespaces.clone(flags)
        if pid == 0:
            act()
        os.close(held)
        started = b""
        while len(started) < 5:
            started += os.read(ready, 5)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert os.read(alive, 1) == b""  # nobody holds the other end any more
        print(json.dumps([time.monotonic() - began, len(started)]))
        """,
        flags,
    )

    assert started == 5
    assert seconds < 0.1


def test_process_one_ignores_its_own_signals_but_not_faults_and_limits(flags):
    endings = told(
        """
        def term():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGKILL)
            return "went on"

        def spin():
            resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
            while True:
                pass

        def fault():
            import ctypes
            ctypes.string_at(8)

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        print(json.dumps([in_child(act) for act in (term, os.abort, fault, spin)]))
        """,
        flags,
    )

    assert endings[0] == ["went on", 0]
    assert endings[1][1] in (-6, -11)  # libc raises SIGABRT, and falls back to a fault where that is ignored
    assert endings[2:] == [[None, -11], [None, -9]]


def test_processes_outside_cannot_be_seen_or_signalled(flags):
    answer = told(
        """
        outer = os.getpid()

        def act():
            try:
                os.kill(outer, 0)
            except ProcessLookupError:
                return "none"

        print(json.dumps(in_child(act)[0]))
        """,
        flags,
    )

    assert answer == "none"


def test_the_network_inside_reaches_nothing_outside(flags):
    reached = told(
        """
        stream, packets = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        abstract = socket.socket(socket.AF_UNIX)
        stream.bind(("127.0.0.1", 0)), packets.bind(("127.0.0.1", 0)), abstract.bind(chr(0) + f"grader-{os.getpid()}")
        stream.listen(), abstract.listen()

        def connects(kind, address, family=socket.AF_INET):
            try:
                with socket.socket(family, kind) as client:
                    client.connect(address)
                    client.send(b"x")
                return True
            except OSError:
                return False

        act = lambda: [
            connects(socket.SOCK_STREAM, stream.getsockname()),
            connects(socket.SOCK_DGRAM, packets.getsockname()) and bool(select.select([packets], [], [], 0.2)[0]),
            connects(socket.SOCK_STREAM, abstract.getsockname(), socket.AF_UNIX),
        ]
        print(json.dumps([in_child(act)[0], act()]))
        """,
        flags,
    )

    assert reached == [[False, False, False], [True, True, True]]


def test_shared_memory_and_host_name_are_the_childs_own(flags):
    answer = told(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        key = 0x67000000 + os.getpid()
        segment = libc.shmget(key, 4096, 0o1666)
        name = socket.gethostname()

        def act():
            socket.sethostname("inside")
            return libc.shmget(key, 0, 0) >= 0

        inside, outside = in_child(act)[0], libc.shmget(key, 0, 0) >= 0
        libc.shmctl(segment, 0, None)
        print(json.dumps([inside, outside, socket.gethostname() == name]))
        """,
        flags,
    )

    assert answer == [False, True, True]


def test_a_refused_clone_is_an_error_in_the_parent_which_goes_on():
    answer = told(
        """
        try:
            namespaces.clone(namespaces.NEWNS | 0x200)  # the kernel refuses to share what it shall copy
        except OSError as error:
            print(json.dumps([error.filename, error.strerror, in_child(lambda: 5, 0)[0]]))
        """,
        0,
    )

    assert answer == ["clone", "Invalid argument", 5]


@of_a_user
def test_the_user_is_mapped_though_the_warm_process_may_not_be_read(flags):
    answer = told(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.prctl(4, 0, 0, 0, 0)
        print(json.dumps(in_child(lambda: (os.getuid(), libc.prctl(3, 0, 0, 0, 0)))[0]))
        """,
        flags,
    )

    assert answer == [os.getuid(), 0]


def test_what_is_possible_is_found_by_trying():
    found = namespaces.possible()

    assert (found.flags == 0) is (found.kind is Kind.NONE)
    if found.kind is not Kind.NONE:
        assert not namespaces._try(found.flags)
    assert (found.kind is Kind.ROOT) is (found.reason == "")


@of_a_user
def test_where_nothing_is_possible_the_reason_is_said_for_each_kind(flags):
    kind, number, reason = told(
        """
        def act():
            with open("/proc/sys/user/max_user_namespaces", "w") as limit:
                limit.write("0")
            privileges.drop(None)
            found = namespaces.possible()
            return found.kind.value, found.flags, found.reason

        print(json.dumps(in_child(act, namespaces.NEWUSER)[0]))
        """,
        flags,
    )

    assert (kind, number) == ("none", 0)
    assert reason.startswith(("root: clone: Operation not permitted; ", "root: not running as root; "))
    assert "user namespace: clone: No space left on device" in reason
