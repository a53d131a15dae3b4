from __future__ import annotations

import asyncio
import ctypes
import errno
import faulthandler
import fcntl
import mmap
import multiprocessing.popen_fork
import os
import platform
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from grader.worker import seccomp, syscalls
from grader.worker.seccomp import MODULE, NOTEBOOK, Profile, Signals

NOBODY = 65534
SOMEBODY = 1_500_000_000
"""A user that no machine has."""
MACHINE = platform.machine()
CLONE_NEWUSER = 0x1000_0000
CLONE_PARENT = 0x8000
KILLED = 1000
"""Plus the signal: how a child's death by it is told."""

filters = pytest.mark.skipif(
    not sys.platform.startswith("linux") or MACHINE not in syscalls.ARCHITECTURES,
    reason=f"there is no table of system calls for {MACHINE}",
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")


@pytest.fixture(autouse=True)
def litter(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for what children leave behind, whoever they are."""
    tmp_path_factory.getbasetemp()  # is made where temporary files go, which is another place now and for a moment only
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


def outcome(*acts: Callable[[], object]) -> int:
    """Do it in a child: 0 if all goes well, the number of an `OSError`, `KILLED` and the signal, otherwise 255."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            for act in acts:
                act()
            code = 0
        except OSError as error:
            code = error.errno or 255
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else KILLED + os.WTERMSIG(status)


def within(profile: Profile, *acts: Callable[[], object], killable: Sequence[int] = ()) -> int:
    """What comes of acts in a child that is held to a profile."""
    return outcome(lambda: seccomp.confine(profile, killable=killable), *acts)


def call(name: str, *arguments: object) -> int:
    number = syscalls.number(name, MACHINE)
    assert number is not None
    return syscalls.call(number, *arguments, what=name)


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def fork_and_wait(*acts: Callable[[], object]) -> None:
    """Fork, and fail as the fork does."""
    code = outcome(*acts)
    if code:
        raise OSError(code, "in the fork")


def signal_a_fork(kill: Callable[[int, int], None]) -> None:
    """Kill a fork that leads a group of its own."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.write(told, b".")
        time.sleep(10)
    os.read(ready, 1)
    kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def converse_over_a_path() -> None:
    """Bind, connect, accept and exchange a byte, in the unix domain."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{folder}/socket")
            server, _ = listener.accept()
            with server:
                server.send(b".")
                assert client.recv(1) == b"."


def file_of_its_own() -> str:
    return tempfile.mkstemp()[1]


def pipe_end() -> int:
    return os.pipe()[0]


def prctl(option: int, argument: int) -> None:
    call("prctl", option, argument, 0, 0, 0)


def lease() -> None:
    descriptor, path = tempfile.mkstemp()
    os.close(descriptor)  # there is none on a file that is open for writing
    fcntl.fcntl(os.open(path, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)


def clone(flags: int) -> None:
    """Fork with these flags."""
    if call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        os._exit(0)


FORKING: dict[str, Callable[[], object]] = {
    "fork": lambda: fork_and_wait(),
    "clone": lambda: clone(0),
    "a pidfd": lambda: os.pidfd_open(os.getpid()),
    "multiprocessing": lambda: multiprocessing.get_context("fork").Process(target=int).start(),
}

UNIX_SOCKETS: dict[str, Callable[[], object]] = {
    "a unix socket": lambda: socket.socket(socket.AF_UNIX),
    "a pair of datagram sockets": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
    "bind": lambda: socket.socketpair()[0].bind(f"\0{os.getpid()}"),
    "a conversation": converse_over_a_path,
}

SINGLE_SIGNALS: dict[str, Callable[[], object]] = {
    "signal the parent": lambda: os.kill(os.getppid(), 0),
    "signal its group": lambda: os.killpg(os.getpgid(os.getppid()), 0),
    "signal a thread of the parent": lambda: call("tgkill", os.getppid(), os.getppid(), 0),
    "signal by thread only": lambda: call("tkill", os.getppid(), 0),
    "signal with the pid's upper half set": lambda: call("kill", 1 << 32 | os.getppid(), 0),
}

EXECUTING: dict[str, Callable[[], object]] = {
    "execute a program": lambda: os.execv("/usr/bin/true", ["true"]),
    "execute an open file": lambda: os.execve(os.open("/usr/bin/true", os.O_RDONLY), ["true"], {}),
}

ALWAYS_REFUSED: dict[str, Callable[[], object]] = EXECUTING | {
    "an internet socket": lambda: socket.socket(socket.AF_INET),
    "an internet socket for datagrams": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "an internet socket, version 6": lambda: socket.socket(socket.AF_INET6),
    "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "signal all": lambda: os.kill(-1, 0),
    "signal its own group": lambda: os.kill(0, 0),
    "limits of the parent": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
    "priority of the parent": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "priority of the user": lambda: os.setpriority(os.PRIO_USER, os.geteuid(), os.getpriority(os.PRIO_USER, 0)),
    "processors of the parent": lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0)),
    "scheduling of the parent": lambda: os.sched_setscheduler(os.getppid(), os.SCHED_BATCH, os.sched_param(0)),
    "memory of the parent": lambda: call("process_vm_readv", os.getppid(), None, 0, None, 0, 0),
    "compare with the parent": lambda: call("kcmp", os.getpid(), os.getppid(), 2, 0, 0),
    "ptrace": lambda: call("ptrace", 0, 0, 0, 0),
    "shared memory": lambda: call("shmget", 0, 4096, 0o600),
    "a shared queue": lambda: call("mq_unlink", b"none"),
    "change a mode": lambda: os.chmod(file_of_its_own(), 0o644),
    "change a mode by descriptor": lambda: os.fchmod(os.open(file_of_its_own(), os.O_RDONLY), 0o644),
    "change an owner": lambda: os.chown(file_of_its_own(), os.geteuid(), -1),
    "change a time": lambda: os.utime(file_of_its_own()),
    "an owner for signals": lambda: fcntl.fcntl(pipe_end(), fcntl.F_SETOWN, os.getpid()),
    "a signal for a descriptor": lambda: fcntl.fcntl(pipe_end(), fcntl.F_SETSIG, signal.SIGKILL),
    "a lease": lease,
    "a personality": lambda: call("personality", 0x40000),
    "be dumpable": lambda: prctl(4, 1),
    "outlive the parent": lambda: prctl(1, 0),
    "open to tracers": lambda: prctl(0x59616D61, os.getppid()),
}

PER_PROFILE = {
    "module": (MODULE, ALWAYS_REFUSED | FORKING | UNIX_SOCKETS | SINGLE_SIGNALS),
    "notebook": (NOTEBOOK, ALWAYS_REFUSED),
}
CASES = [
    pytest.param(profile, act, id=f"{name}-{case}")
    for name, (profile, cases) in PER_PROFILE.items()
    for case, act in cases.items()
]
MAY_LACK = (errno.ENOENT, errno.ENOSYS, errno.EINVAL)
"""How calls end whose object there is not, or which this kernel was built without: not EPERM, that is the point."""


@filters
@pytest.mark.parametrize(("profile", "act"), CASES)
def test_it_is_refused(profile: Profile, act: Callable[[], object]) -> None:
    assert within(profile, act) == errno.EPERM


@as_root
@filters
@pytest.mark.parametrize(("profile", "act"), CASES)
def test_it_is_refused_to_nobody(profile: Profile, act: Callable[[], object]) -> None:
    assert outcome(become_nobody, lambda: seccomp.confine(profile), act) == errno.EPERM


@pytest.mark.parametrize("name", PER_PROFILE["module"][1])
def test_without_the_filter_it_is_not(name: str) -> None:
    """Done to a parent that was forked for it: some of it would change how this process is scheduled from here on."""
    acts = [os.setsid, lambda: fork_and_wait(PER_PROFILE["module"][1][name])]
    if name == "priority of the user" and os.geteuid() == 0:
        acts.insert(0, lambda: os.setresuid(SOMEBODY, SOMEBODY, SOMEBODY))  # root is whoever else runs on the machine
    answer = outcome(*acts)

    assert answer == 0 or answer in MAY_LACK


@filters
@pytest.mark.parametrize("profile", [MODULE, NOTEBOOK], ids=["module", "notebook"])
def test_threads_of_a_batch_job_may_say_that_they_are_one(profile: Profile) -> None:
    """Where the grader is one. zmq's threads do, and it aborts where they may not."""

    def become_batch() -> None:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        seccomp._template.cache_clear()

    def be_batch() -> None:
        os.sched_setscheduler(os.getppid(), os.SCHED_BATCH, os.sched_param(0))

    assert within(profile, be_batch) == errno.EPERM
    assert outcome(become_batch, lambda: fork_and_wait(lambda: seccomp.confine(profile), be_batch)) == 0


@filters
@pytest.mark.parametrize("name", [name for name in seccomp.REFUSED if syscalls.number(name, MACHINE) is not None])
def test_calls_that_nobody_needs_are_refused_whatever_the_arguments(name: str) -> None:
    assert within(MODULE, lambda: call(name, 0, 0, 0, 0, 0, 0)) == errno.EPERM
    assert within(NOTEBOOK, lambda: call(name, -1, -1, -1, -1, -1, -1)) == errno.EPERM


@filters
@pytest.mark.skipif(os.geteuid() != 0, reason="many are refused by the kernel itself")
def test_most_of_those_calls_are_not_refused_without_the_filter() -> None:
    harmless = [name for name in seccomp.REFUSED if name not in ("vhangup", "acct", "msgget", "semget", "shmget")]
    numbered = [name for name in harmless if syscalls.number(name, MACHINE) is not None]

    answers = [outcome(lambda name=name: call(name, -1, -1, -1, -1, -1, -1)) for name in numbered]  # type: ignore[misc]

    assert answers.count(errno.EPERM) < len(answers) / 2


@filters
@pytest.mark.parametrize("profile", [MODULE, NOTEBOOK])
def test_clone3_does_not_exist_so_that_clone_is_used(profile: Profile) -> None:
    assert within(profile, lambda: call("clone3", None, 0)) == errno.ENOSYS


@filters
@pytest.mark.parametrize("profile", [MODULE, NOTEBOOK])
@pytest.mark.parametrize("flags", [CLONE_NEWUSER, 0x0002_0000, 0x4000_0000, CLONE_PARENT])
def test_a_fork_gets_no_namespaces_and_no_other_parent(profile: Profile, flags: int) -> None:
    assert within(profile, lambda: clone(flags)) == errno.EPERM


@as_root
def test_root_could_fork_into_namespaces_without_the_filter() -> None:
    if outcome(lambda: clone(0x0002_0000)) == errno.EPERM:
        pytest.skip("this root may make no namespaces in any case")

    assert outcome(lambda: clone(CLONE_NEWUSER)) == outcome(lambda: clone(0x4000_0000)) == 0


@filters
def test_calls_newer_than_the_list_do_not_exist() -> None:
    assert within(MODULE, lambda: syscalls.call(syscalls.LAST_KNOWN + 1, what="new")) == errno.ENOSYS
    assert within(MODULE, lambda: syscalls.call(0xFFFF_FFFF, what="none")) == errno.ENOSYS


@pytest.mark.skipif(MACHINE != "x86_64", reason="x32 belongs to x86-64")
def test_calls_of_x32_do_not_exist() -> None:
    getpid = 39

    assert within(MODULE, lambda: syscalls.call(getpid, what="getpid")) == 0
    assert within(MODULE, lambda: syscalls.call(getpid | 0x4000_0000, what="getpid")) == errno.ENOSYS


@pytest.mark.skipif(MACHINE != "x86_64", reason="another architecture's machine code")
def test_calls_of_32_bit_programs_are_refused() -> None:
    def getpid() -> None:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
        answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        if answer < 0:
            raise OSError(-answer, "int 0x80")

    if outcome(getpid) != 0:
        pytest.skip("this kernel runs no 32-bit programs")

    assert within(MODULE, getpid) == errno.EPERM


def start_threads() -> None:
    threads = [threading.Thread(target=sum, args=(range(100),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def signal_itself() -> None:
    caught = []
    signal.signal(signal.SIGUSR1, lambda number, _: caught.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    assert caught == [signal.SIGUSR1] * 3


def start_an_ordinary_thread() -> None:
    """As libraries do, some of which abort where it fails."""
    answers: list[object] = []

    def be_ordinary() -> None:
        answers.append(os.sched_setscheduler(threading.get_native_id(), os.SCHED_OTHER, os.sched_param(0)))

    thread = threading.Thread(target=be_ordinary)
    thread.start()
    thread.join()
    assert answers == [None]


def exchange() -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        one, other = socket.socketpair(socket.AF_UNIX, kind)
        one.send(b".")
        assert other.recv(1) == b"."
    one, other = multiprocessing.Pipe()
    one.send(1)
    assert other.recv() == 1


def keep_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.touch()
        path.touch()
        path.write_text("content")
        path.rename(path.with_name("renamed")).unlink()
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.isatty(file.fileno())


def import_late() -> None:
    import colorsys
    import sqlite3  # noqa: F401 - loads a shared library

    assert colorsys.rgb_to_hsv(0, 0, 0)


NEEDED: dict[str, Callable[[], object]] = {
    "threads": start_threads,
    "a thread that says it is ordinary": start_an_ordinary_thread,
    "its own signals": signal_itself,
    "pairs of sockets": exchange,
    "an event loop": lambda: asyncio.run(asyncio.sleep(0)),
    "files": keep_files,
    "late imports": import_late,
    "lower limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    "its own limits": lambda: resource.prlimit(os.getpid(), resource.RLIMIT_CPU),
    "its own processors": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "its own priority": lambda: os.nice(1),
    "which personality": lambda: call("personality", 0xFFFF_FFFF),
    "memory": lambda: mmap.mmap(-1, 1 << 20),
    "die with the parent": lambda: prctl(1, signal.SIGKILL),
    "be undumpable": lambda: prctl(4, 0),
    "an alarm": lambda: signal.alarm(0),
    "random bytes": lambda: os.urandom(8),
}


@filters
@pytest.mark.parametrize("profile", [MODULE, NOTEBOOK], ids=["module", "notebook"])
@pytest.mark.parametrize("act", NEEDED.values(), ids=NEEDED)
def test_what_a_submission_needs_is_allowed(profile: Profile, act: Callable[[], object]) -> None:
    assert within(profile, act) == 0


@filters
@pytest.mark.parametrize("profile", [MODULE, NOTEBOOK], ids=["module", "notebook"])
def test_giving_up_looks_like_giving_up(profile: Profile) -> None:
    assert within(profile, faulthandler.disable, os.abort) == KILLED + signal.SIGABRT


@filters
def test_pairs_stay_pairs() -> None:
    """One of two datagram sockets can be connected to somebody else."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.bind("")  # the kernel finds an abstract name

        def reach_out(kind: socket.SocketKind) -> None:
            one, _ = socket.socketpair(socket.AF_UNIX, kind)
            one.sendto(b".", stranger.getsockname())

        assert outcome(lambda: reach_out(socket.SOCK_DGRAM)) == 0
        assert within(MODULE, lambda: reach_out(socket.SOCK_DGRAM)) == errno.EPERM
        assert within(MODULE, lambda: reach_out(socket.SOCK_STREAM)) in (errno.EISCONN, errno.EOPNOTSUPP)
        assert stranger.recv(9) == b"."
        assert within(MODULE, lambda: reach_out(socket.SOCK_SEQPACKET)) == 0  # to its other end, whatever the address
        with pytest.raises(BlockingIOError):
            stranger.recv(9, socket.MSG_DONTWAIT)


NOTEBOOKS_NEED: dict[str, Callable[[], object]] = {
    "fork": lambda: fork_and_wait(),
    "signals to itself in a fork": lambda: fork_and_wait(signal_itself),
    "watch a fork": lambda: os.pidfd_open(os.getpid()),
    "end a fork": lambda: signal_a_fork(os.kill),
    "end a fork's group": lambda: signal_a_fork(os.killpg),
    "talk over a path": converse_over_a_path,
    "datagrams": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
}


@filters
@pytest.mark.parametrize("act", NOTEBOOKS_NEED.values(), ids=NOTEBOOKS_NEED)
def test_what_notebooks_need_is_allowed_to_them(act: Callable[[], object]) -> None:
    assert within(NOTEBOOK, act) == 0


@filters
def test_forks_are_held_to_the_same() -> None:
    assert within(NOTEBOOK, lambda: fork_and_wait(EXECUTING["execute a program"])) == errno.EPERM
    assert within(NOTEBOOK, lambda: fork_and_wait(lambda: socket.socket(socket.AF_INET))) == errno.EPERM
    assert outcome(lambda: fork_and_wait(lambda: socket.socket(socket.AF_INET))) == 0


@filters
def test_a_command_fails_with_an_error_that_python_explains() -> None:
    def run() -> None:
        with pytest.raises(PermissionError):
            subprocess.run(["/usr/bin/true"], check=False)

    assert within(NOTEBOOK, run) == 0
    assert within(replace(NOTEBOOK, programs=True), lambda: subprocess.run(["/usr/bin/true"], check=True)) == 0


@filters
def test_only_named_processes_can_be_signalled() -> None:
    parent = os.getpid()
    profile = replace(MODULE, signals=Signals.ITSELF)

    assert within(profile, lambda: os.kill(parent, 0)) == errno.EPERM
    assert within(profile, lambda: os.kill(parent, 0), killable=[parent]) == 0
    assert within(profile, lambda: os.kill(1, 0), killable=[parent]) == errno.EPERM
    assert within(profile, signal_itself, killable=[parent]) == 0


@filters
def test_filters_add_up_and_the_strictest_answer_counts() -> None:
    def fork_and_confine() -> None:
        fork_and_wait(lambda: seccomp.confine(MODULE), signal_itself, FORKING["fork"])

    assert within(NOTEBOOK, fork_and_confine) == errno.EPERM
    assert within(MODULE, lambda: seccomp.confine(NOTEBOOK), FORKING["fork"]) == errno.EPERM


@pytest.mark.parametrize("killable", [[0], [-1], [1 << 32], list(range(1, 100))])
def test_what_is_no_pid_cannot_be_named(killable: list[int]) -> None:
    with pytest.raises(ValueError, match="killable: expected"):
        seccomp.confine(MODULE, killable=killable)


@filters
def test_the_program_keeps_the_pid_of_nobody_else() -> None:
    for _ in range(2):
        assert within(MODULE, signal_itself) == 0
    seccomp.prepare(MODULE)
    assert within(MODULE, signal_itself) == 0


# The programs for both architectures, walked through here as the kernel does: it cannot run another machine's.

ALLOWED = 0x7FFF_0000
REFUSED = 0x0005_0000 | errno.EPERM
UNKNOWN = 0x0005_0000 | errno.ENOSYS
AUDIT = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}


def walk(profile: Profile, machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """The program's answer to a call."""
    padded = [value & (1 << 64) - 1 for value in (*arguments, *[0] * 6)][:6]
    data = struct.pack("<IIQ6Q", number, AUDIT[machine] if architecture is None else architecture, 0, *padded)
    program = seccomp.assemble(profile, architecture=machine)
    position = value = 0
    while True:
        step = program[position]
        position += 1
        assert 0 <= step.if_true < 256
        match step.operation:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, step.constant)
            case 0x54:
                value &= step.constant
            case 0x05:
                position += step.constant
            case 0x06:
                return step.constant
            case comparison:
                holds = {
                    0x15: value == step.constant,
                    0x25: value > step.constant,
                    0x35: value >= step.constant,
                    0x45: bool(value & step.constant),
                }[comparison]
                position += step.if_true if holds else step.if_false


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
@pytest.mark.parametrize("profile", [MODULE, NOTEBOOK], ids=["module", "notebook"])
def test_on_each_architecture_all_calls_without_a_rule_are_allowed_and_no_others(
    profile: Profile, machine: str
) -> None:
    numbers = {syscalls.number(name, machine): name for name in syscalls.NUMBERS}
    refused = {*seccomp.REFUSED, "execve", "execveat"}
    if profile is MODULE:
        refused |= {"fork", "vfork", "pidfd_open", "socket", "bind", "listen", "connect", "accept", "accept4"}
    ruled = set(syscalls.NUMBERS) - refused - {"clone3"}

    for number in range(syscalls.LAST_KNOWN + 1):
        name = numbers.get(number, "")
        if name not in ruled:
            expected = REFUSED if name in refused else UNKNOWN if name == "clone3" else ALLOWED
            if profile is NOTEBOOK or name:
                assert walk(profile, machine, number) == expected, (number, name)


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
def test_on_each_architecture_arguments_decide_alike(machine: str) -> None:
    def module(name: str, *arguments: int) -> int:
        return walk(MODULE, machine, syscalls.number(name, machine) or 0, *arguments)

    def notebook(name: str, *arguments: int) -> int:
        return walk(NOTEBOOK, machine, syscalls.number(name, machine) or 0, *arguments)

    thread, fork = 0x3D0F00, 0x1200011  # as the C library has them

    assert (module("clone", thread), module("clone", fork)) == (ALLOWED, REFUSED)
    assert (notebook("clone", thread), notebook("clone", fork)) == (ALLOWED, ALLOWED)
    assert notebook("clone", fork | CLONE_NEWUSER) == module("clone", thread | CLONE_NEWUSER) == REFUSED
    assert (notebook("socket", 1, 1), notebook("socket", 2, 1), notebook("socket", 16, 3)) == (
        ALLOWED,
        REFUSED,
        REFUSED,
    )
    assert (module("socketpair", 1, 0x80001), module("socketpair", 1, 0x80002)) == (ALLOWED, REFUSED)
    assert (module("kill", 1), notebook("kill", 1), notebook("kill", 0), notebook("kill", -1)) == (
        REFUSED,
        ALLOWED,
        REFUSED,
        REFUSED,
    )
    assert module("kill", 1 << 32) == notebook("kill", 1 << 32) == REFUSED
    assert (module("ioctl", 0, 0x5401), module("ioctl", 0, 0x5412), module("ioctl", 0, 1 << 32 | 0x5412)) == (
        ALLOWED,
        REFUSED,
        REFUSED,
    )
    assert (module("fcntl", 0, 2), module("fcntl", 0, 8)) == (ALLOWED, REFUSED)


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
def test_on_each_architecture_other_tables_are_refused(machine: str) -> None:
    for other in {0x4000_0003, 0x4000_0028, *AUDIT.values()} - {AUDIT[machine]}:
        assert walk(MODULE, machine, 0, architecture=other) == REFUSED
    assert walk(MODULE, machine, 0x4000_0000 | 39) == UNKNOWN
    assert walk(MODULE, machine, syscalls.LAST_KNOWN + 1) == UNKNOWN


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "/usr/include/asm-generic/unistd.h")],
)
def test_the_numbers_are_those_of_the_kernels_headers(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"{header} is not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    theirs = {name: int(number) for name, number in found}

    wrong = {
        name: (number, theirs.get(name))
        for name in syscalls.NUMBERS
        if (number := syscalls.number(name, machine)) != theirs.get(name) and not (number or 0) > max(theirs.values())
    }

    assert wrong == {}


EXERCISE = """
import sys, threading
import torch
from torch import nn
from grader.worker import landlock, seccomp
from pathlib import Path

home = Path(sys.argv[1])
profile = getattr(seccomp, sys.argv[2])
if landlock.abi():
    places = ("/usr", "/lib", "/lib64", "/proc/cpuinfo", "/sys/devices/system/cpu", sys.prefix, sys.base_prefix)
    system = [Path(place) for place in places]
    landlock.confine(readable=[*system, Path(seccomp.__file__).parents[1]], writable=[home])
seccomp.confine(profile)

x = torch.randn(2, 8, 16, requires_grad=True)
attention = nn.MultiheadAttention(16, 4, batch_first=True)
attention(x, x, x)[0].sum().backward()
assert x.grad.isfinite().all()
torch.optim.Adam(attention.parameters()).step()
torch.save(attention.state_dict(), home / "weights.pt")
attention.load_state_dict(torch.load(home / "weights.pt", weights_only=True))
torch.set_num_threads(2)
assert (torch.randn(400, 400) @ torch.randn(400, 400)).isfinite().all()
worker = threading.Thread(target=lambda: torch.ones(300, 300) @ torch.ones(300, 300))
worker.start()
worker.join()
import tempfile, sqlite3, torch.utils.checkpoint, torch.nn.utils.parametrizations
with tempfile.TemporaryFile(dir=home) as file:
    torch.save(x, file)
next(iter(torch.utils.data.DataLoader(torch.arange(8), batch_size=4)))
"""


@filters
@pytest.mark.skipif(not os.access(sys.executable, os.X_OK), reason="this user cannot start Python")
@pytest.mark.parametrize("profile", ["MODULE", "NOTEBOOK"])
def test_attention_works_inside(tmp_path: Path, profile: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", EXERCISE, str(tmp_path), profile],
        env={"OMP_NUM_THREADS": "1", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
