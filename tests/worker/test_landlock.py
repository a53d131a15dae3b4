from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.worker import landlock

VERSION = landlock.abi()
NOBODY = 65534

pytestmark = pytest.mark.skipif(VERSION == 0, reason="this kernel has no Landlock, or does not let us use it")


def since(version: int) -> pytest.MarkDecorator:
    return pytest.mark.skipif(version > VERSION, reason=f"needs version {version} of Landlock, this is {VERSION}")


class Places:
    """A folder to read, one to write, one that is neither.

    Attributes:
        user: who the children are.
    """

    def __init__(self, root: Path, user: int) -> None:
        self.user = user
        self.readable, self.home, self.hidden = root / "readable", root / "home", root / "hidden"
        for place in (self.readable, self.home, self.hidden):
            (place / "folder").mkdir(parents=True)
            (place / "file").write_text("content")
        for path in (root, *root.rglob("*")):
            os.chown(path, user, -1)

    def enter(self) -> None:
        """Be the user, in the folder to write."""
        if self.user != os.geteuid():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(self.user)
        os.chdir(self.home)

    def confine(self) -> None:
        """Be confined."""
        landlock.confine(readable=[self.readable, Path("/usr"), Path("/lib"), Path("/lib64")], writable=[self.home])

    def outcome(self, act: Callable[[Places], object], *, confined: bool = True) -> int:
        """What comes of an act in a child of its own: 0, or the number of the error."""
        return outcome(self.enter, self.confine if confined else lambda: None, lambda: act(self))


def outcome(*acts: Callable[[], object]) -> int:
    """Do it in a child: 0 if all goes well, the number of an `OSError`, otherwise a failure."""
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
    assert os.WIFEXITED(status), f"died of signal {os.WTERMSIG(status)}"
    return os.WEXITSTATUS(status)


@pytest.fixture(params=["the same user", "nobody"])
def places(request: pytest.FixtureRequest) -> Iterator[Places]:
    user = os.geteuid() if request.param == "the same user" else NOBODY
    if user != os.geteuid() and os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    root = Path(tempfile.mkdtemp())  # and not `tmp_path`, which nobody else may enter
    try:
        yield Places(root, user)
    finally:
        shutil.rmtree(root)


def listens(family: int, address: object) -> socket.socket:
    listener = socket.socket(family)
    listener.bind(address)  # type: ignore[arg-type]
    listener.listen()
    return listener


def execute(path: str) -> None:
    os.execv(path, [path])


def change_folder(source: Path, target: Path) -> None:
    """Rename a file from one folder into another."""
    os.rename(source / "file", target / "moved")


REFUSED: dict[str, Callable[[Places], object]] = {
    "read a hidden file": lambda it: (it.hidden / "file").read_text(),
    "list a hidden folder": lambda it: os.listdir(it.hidden),
    "write a hidden file": lambda it: (it.hidden / "file").open("a"),
    "write a readable file": lambda it: (it.readable / "file").open("a"),
    "make a file beside readable ones": lambda it: (it.readable / "new").write_text(""),
    "make a folder beside readable ones": lambda it: (it.readable / "new").mkdir(),
    "make a link beside readable ones": lambda it: (it.readable / "new").symlink_to("file"),
    "make a queue beside readable ones": lambda it: os.mkfifo(it.readable / "new"),
    "remove a readable file": lambda it: (it.readable / "file").unlink(),
    "remove a readable folder": lambda it: (it.readable / "folder").rmdir(),
    "rename a readable file": lambda it: (it.readable / "file").rename(it.readable / "renamed"),
    "carry a hidden file home": lambda it: change_folder(it.hidden, it.home),
    "carry a file out": lambda it: change_folder(it.home, it.readable),
    "link a hidden file home": lambda it: os.link(it.hidden / "file", it.home / "linked"),
    "follow a link of its own": lambda it: (
        (it.home / "way").symlink_to(it.hidden),
        (it.home / "way" / "file").read_text(),
    ),
    "climb out of home": lambda it: Path("../hidden/file").read_text(),
    "execute a program": lambda it: execute("/usr/bin/env"),
    "execute a program of its own": lambda it: (
        shutil.copy("/usr/bin/true", "program"),
        os.chmod("program", 0o755),
        execute("program"),
    ),
}


@pytest.mark.parametrize("act", REFUSED.values(), ids=REFUSED)
def test_what_lies_outside_is_refused(places: Places, act: Callable[[Places], object]) -> None:
    with contextlib.redirect_stdout(None):
        refused = places.outcome(act)

    assert refused in (errno.EACCES, errno.EXDEV)


@pytest.mark.parametrize("act", REFUSED.values(), ids=REFUSED)
def test_without_landlock_it_is_not(places: Places, act: Callable[[Places], object]) -> None:
    null = os.open(os.devnull, os.O_WRONLY)

    assert places.outcome(lambda it: (os.dup2(null, 1), act(it)), confined=False) == 0

    os.close(null)


ALLOWED: dict[str, Callable[[Places], object]] = {
    "read what is readable": lambda it: (it.readable / "file").read_text(),
    "list what is readable": lambda it: os.listdir(it.readable / "folder"),
    "write, read and remove a file": lambda it: (
        Path("new").write_text("1"),
        Path("new").read_text(),
        Path("new").unlink(),
    ),
    "make and remove a folder": lambda it: (Path("new").mkdir(), os.listdir("new"), Path("new").rmdir()),
    "make a link": lambda it: (Path("link").symlink_to("file"), Path("link").read_text()),
    "make a queue": lambda it: os.mkfifo("queue"),
    "make a socket": lambda it: listens(socket.AF_UNIX, "socket"),
    "truncate": lambda it: os.truncate("file", 0),
    "temporary files": lambda it: tempfile.mkstemp(dir=it.home),
    "load a shared library": lambda it: ctypes.CDLL("libm.so.6").floor,
    "fork": lambda it: subprocess_of_its_own(),
    "start a thread": lambda it: threading.Thread(target=lambda: None).start(),
    "signal itself": lambda it: os.kill(os.getpid(), signal.SIGCONT),
}


def subprocess_of_its_own() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.kill(pid, signal.SIGCONT)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("act", ALLOWED.values(), ids=ALLOWED)
def test_what_a_submission_needs_is_allowed(places: Places, act: Callable[[Places], object]) -> None:
    assert places.outcome(act) == 0


@since(2)
def test_files_move_between_own_folders(places: Places) -> None:
    assert places.outcome(lambda it: change_folder(it.home, it.home / "folder")) == 0


@since(3)
def test_nothing_outside_is_truncated(places: Places) -> None:
    def act(it: Places) -> None:
        os.truncate(it.readable / "file", 0)

    assert places.outcome(act) == errno.EACCES
    assert places.outcome(act, confined=False) == 0


@since(4)
def test_tcp_is_refused(places: Places) -> None:
    with listens(socket.AF_INET, ("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        def connect(_: Places) -> None:
            socket.socket().connect(address)

        def bind(_: Places) -> None:
            listens(socket.AF_INET, ("127.0.0.1", 0))

        assert places.outcome(connect) == places.outcome(bind) == errno.EACCES
        assert places.outcome(connect, confined=False) == places.outcome(bind, confined=False) == 0


@since(6)
def test_abstract_sockets_of_others_are_refused(places: Places) -> None:
    name = f"\0{places.home}"
    with listens(socket.AF_UNIX, name):

        def connect(_: Places) -> None:
            socket.socket(socket.AF_UNIX).connect(name)

        assert places.outcome(connect) == errno.EPERM
        assert places.outcome(connect, confined=False) == 0


@since(6)
@pytest.mark.parametrize("places", ["the same user"], indirect=True)  # nobody cannot signal this process in any case
def test_processes_outside_cannot_be_signalled(places: Places) -> None:
    def act(_: Places) -> None:
        os.kill(os.getppid(), 0)

    assert places.outcome(act) == errno.EPERM
    assert places.outcome(act, confined=False) == 0


def test_no_device_can_be_made() -> None:
    root = Path(tempfile.mkdtemp())
    places = Places(root, os.geteuid())

    def act(_: Places) -> None:
        os.mknod("null", stat.S_IFCHR | 0o600, os.makedev(1, 3))

    if places.outcome(act, confined=False) != 0:
        pytest.skip("this user cannot make devices in any case")
    (places.home / "null").unlink()

    assert places.outcome(act) == errno.EACCES
    shutil.rmtree(root)


def test_memory_of_the_parent_is_out_of_reach_even_where_its_file_is_readable() -> None:
    def act() -> None:
        Path(f"/proc/{os.getppid()}/mem").open("rb").close()

    if outcome(act) != 0:
        pytest.skip("this process cannot open its parent's memory in any case")

    assert outcome(lambda: landlock.confine(readable=[Path("/proc")], writable=[]), act) == errno.EACCES


def test_a_single_file_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("")
    (tmp_path / "two").write_text("")
    confine = [lambda: landlock.confine(readable=[tmp_path / "one"], writable=[Path("/dev/null")])]

    assert outcome(*confine, lambda: (tmp_path / "one").read_text()) == 0
    assert outcome(*confine, lambda: (tmp_path / "one").open("a")) == errno.EACCES
    assert outcome(*confine, lambda: (tmp_path / "two").read_text()) == errno.EACCES
    assert outcome(*confine, lambda: Path("/dev/null").write_text("gone")) == 0


def test_names_in_a_listable_folder_can_be_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("")
    confine = [lambda: landlock.confine(readable=[], writable=[], listable=[tmp_path])]

    assert outcome(*confine, lambda: os.listdir(tmp_path / "below")) == 0
    assert outcome(*confine, lambda: (tmp_path / "below" / "file").read_text()) == errno.EACCES
    assert outcome(*confine, lambda: (tmp_path / "new").touch()) == errno.EACCES
    assert outcome(*confine, lambda: os.listdir(tmp_path.parent)) == errno.EACCES


def test_what_does_not_exist_is_skipped(tmp_path: Path) -> None:
    missing = [tmp_path / "missing", tmp_path / "missing" / "deeper", Path("/dev/null/no/folder")]

    assert outcome(lambda: landlock.confine(readable=missing, writable=missing)) == 0


def test_a_second_wall_takes_away_and_gives_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def confine(*readable: Path) -> None:
        landlock.confine(readable=readable, writable=[])

    assert outcome(lambda: confine(tmp_path), lambda: confine(tmp_path), (tmp_path / "file").read_text) == 0
    assert outcome(lambda: confine(tmp_path), confine, (tmp_path / "file").read_text) == errno.EACCES
    assert outcome(confine, lambda: confine(tmp_path), (tmp_path / "file").read_text) == errno.EACCES


def test_forks_are_confined_too(tmp_path: Path) -> None:
    def fork() -> None:
        refused = outcome(lambda: os.listdir("/"))
        if refused:
            raise OSError(refused, "in the fork")

    assert outcome(lambda: landlock.confine(readable=[tmp_path], writable=[]), fork) == errno.EACCES
    assert outcome(fork) == 0


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_each_older_version_still_guards_reading_and_writing(tmp_path: Path, version: int) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "secret").write_text("")

    def confine() -> None:
        landlock.confine(readable=[], writable=[tmp_path / "home"], version=version)

    assert outcome(confine, lambda: (tmp_path / "secret").read_text()) == errno.EACCES
    assert outcome(confine, lambda: (tmp_path / "home" / "own").write_text("")) == 0


def test_a_version_handles_the_rights_it_knows() -> None:
    handled = {version: landlock.handled_rights(version) for version in range(1, 10)}

    assert handled == {
        1: 0x1FFF,
        2: 0x3FFF,
        3: 0x7FFF,
        4: 0x7FFF,
        5: 0xFFFF,
        6: 0xFFFF,
        7: 0xFFFF,
        8: 0xFFFF,
        9: 0x1FFFF,
    }


def test_a_version_that_the_kernel_does_not_speak_is_an_error_with_its_reason() -> None:
    if VERSION >= 9:
        pytest.skip("this kernel knows all rights that are known here")

    with pytest.raises(OSError) as refusal:
        landlock.confine(readable=[], writable=[], version=9)

    assert refusal.value.errno == errno.EINVAL
    assert "Landlock takes no ruleset" in str(refusal.value)
