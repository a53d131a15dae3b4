"""What a child sees and can do in a root of its own: as root, and as a normal user with a user namespace.

A real warm process imports torch and clones; each test sends it code that runs in a locked child and says a `value`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typing_extensions

from grader.worker import namespaces, rootfs

from . import somebody

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces need Linux")

Inside = Callable[..., Any]

NOBODY = 65534
SOMEBODY = 1_879_048_192
SITE = sysconfig.get_path("purelib")
CHECKOUT = Path(__file__).parents[2]

WARM = """
import ctypes, errno, json, os, socket, sys, traceback
from pathlib import Path
import torch
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot
from grader.worker import namespaces, privileges, rootfs

torch.backends.cpu.get_cpu_capability()  # reads /proc/cpuinfo, once
flags, owner = int(sys.argv[1]), int(sys.argv[2]) or None

def tried(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def answer(order):
    home = Path(order["home"])
    os.environ.update(HOME=str(home), TMPDIR=str(home), MPLCONFIGDIR=str(home))
    readable = [*rootfs.readable_paths(programs=order["programs"]), *map(Path, order["readable"])]
    hidden = [*rootfs.hidden_paths(), *map(Path, order["hidden"])]
    limits = {"size": order["size"], "inodes": order["inodes"], "owner": owner, "terminals": order["programs"]}
    os.umask(0o077)
    rootfs.own_root(home, readable, hidden, **limits)
    os.umask(0o022)
    privileges.drop(owner)
    scope = {"os": os, "tried": tried, "torch": torch, "home": home, "pyplot": pyplot, "readable": readable}
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)  # the answers' way
    exec(order["code"], scope)
    return {"value": scope["value"]}

print("ready", flush=True)
for line in sys.stdin:
    taken, said = os.pipe()
    pid = namespaces.clone(flags)
    if pid == 0:
        try:
            text = json.dumps(answer(json.loads(line)))
        except BaseException:
            text = json.dumps({"trace": traceback.format_exc()})
        os.write(said, text.encode())
        os._exit(0)
    os.close(said)
    with open(taken, "rb") as lines:
        text = lines.read()
    os.waitpid(pid, 0)
    print(text.decode(), flush=True)
"""


@pytest.fixture(scope="module", params=["root", "user"])
def inside(request) -> Iterator[Inside]:
    """Runs code in a locked child and returns its `value`."""
    as_user, flags, owner = request.param == "user", namespaces.ALL, SOMEBODY
    if as_user:
        flags, owner = flags | namespaces.NEWUSER, 0
    elif os.geteuid() != 0:
        pytest.skip("not running as root")
    if problem := namespaces._try(flags):
        pytest.skip(f"refused here: {problem}")
    become = [sys.executable, "-I", somebody.__file__, str(NOBODY)] if as_user and os.geteuid() == 0 else []
    command = [*become, sys.executable, "-W", "ignore", "-I", "-c", WARM]
    arguments = [str(flags), str(owner)]
    scratch = Path(tempfile.mkdtemp())
    scratch.chmod(0o711)
    if become:
        os.chown(scratch, NOBODY, NOBODY)
    environment = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "MPLCONFIGDIR": str(scratch), "LANG": "C.UTF-8"}
    with subprocess.Popen(
        [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as warm:
        stdin, stdout = warm.stdin, warm.stdout
        assert stdin
        assert stdout
        assert stdout.readline() == "ready\n"

        def run(code: str, *, below: Path = scratch, **settings: Any) -> Any:
            home = Path(tempfile.mkdtemp(dir=below))
            if as_user and os.geteuid() == 0:
                os.chown(home, NOBODY, NOBODY)
            order = {"size": 16 << 20, "inodes": 200, "readable": [], "hidden": [], "programs": False, **settings}
            stdin.write(json.dumps({**order, "home": str(home), "code": textwrap.dedent(code)}) + "\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
            assert list(home.iterdir()) == []  # nothing reached the machine's own folder
            home.rmdir()
            assert "value" in answer, answer["trace"]
            return answer["value"]

        yield run
        stdin.close()
    shutil.rmtree(scratch)


def test_nothing_of_the_machine_is_there_but_what_was_named(inside):
    top, passwd, checkout = inside(
        f"""
        value = [sorted(os.listdir("/")), open("/etc/passwd").read(), list(os.walk({str(CHECKOUT)!r}))[0][1:]]
        """
    )

    ways = {path.resolve().parts[1] for path in (CHECKOUT, Path(SITE), Path(sys.base_prefix))}
    assert not {"proc", "sys", "run", "var", "mnt", "home", "boot", "srv"} - ways & set(top)
    assert len(passwd.splitlines()) == 1
    assert passwd.startswith("worker:x:")
    assert set(checkout[0]) <= {".venv"}
    assert checkout[1] == []


def test_a_canary_is_nowhere_by_name(inside):
    name = f"canary-{secrets.token_hex(8)}"
    places = [Path(folder, name) for folder in ("/tmp", "/dev/shm", "/var/tmp", CHECKOUT) if os.access(folder, os.W_OK)]
    try:
        for place in places:
            place.write_text("secret")
        seen = inside(
            f"""
            named, value = {{os.path.realpath(path) for path in readable}}, []
            for top, folders, files in os.walk("/"):
                value += [top] if {name!r} in files else []
                folders[:] = [folder for folder in folders if os.path.join(top, folder) not in named]
            value += [path for path in {list(map(str, places))!r} if os.path.lexists(path)]
            """
        )
    finally:
        for place in places:
            place.unlink()

    assert len(places) > 1
    assert seen == []


def test_the_graders_own_modules_are_hidden_where_they_are_installed(inside):
    module = Path(msgspec.__file__).parent  # stands for a package of ours beside the others
    listed, refused = inside(
        f"""
        folder = {str(module)!r}
        value = [os.listdir(folder), tried(open, folder + "/x", "w")]
        """,
        hidden=[str(module)],
    )

    assert listed == []
    assert refused == "EROFS"


def test_a_hidden_file_is_empty(inside):
    module = typing_extensions.__file__

    assert inside(f"value = open({module!r}).read()", hidden=[module]) == ""


def test_nothing_that_is_readable_is_writable(inside):
    answer = inside(
        """
        import torch as module
        folders = [str(path) for path in readable if path.is_dir()]
        read_only = [bool(os.statvfs(path).f_flag & os.ST_RDONLY) for path in [*folders, "/", "/etc", "/dev"]]
        places = [*folders, os.path.dirname(module.__file__), "/", "/etc", "/dev"]
        value = [all(read_only), sorted({tried(open, f"{place}/x.pth", "w") for place in places})]
        """
    )

    assert answer == [True, ["EROFS"]]


def test_home_is_where_it_was_and_the_scratch_space_takes_files(inside):
    answer = inside(
        """
        import tempfile
        open("a", "w").write("x"), open("/tmp/b", "w").write("x"), open("/dev/shm/c", "w").write("x")
        value = [os.getcwd() == os.environ["HOME"] == str(home), os.listdir()]
        with tempfile.NamedTemporaryFile() as file:
            value.append(file.write(b"x"))
        """
    )

    assert answer == [True, ["a"], 1]


def test_home_can_be_anywhere(inside):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        answer = inside(
            "open('a', 'w').write('x'); value = [os.getcwd() == str(home), os.listdir(home), tried(open, '../b', 'w')]",
            below=Path(folder),
        )

    assert answer == [True, ["a"], "EROFS"]


def test_the_scratch_space_is_limited_in_bytes_over_all_its_places(inside):
    written, refused = inside(
        """
        block, written, refused = bytes(1 << 20), 0, set()
        for place in (str(home), "/tmp", "/dev/shm"):
            with open(f"{place}/big", "wb", buffering=0) as file:
                for _ in range(64):
                    try:
                        written += file.write(block)
                    except OSError as error:
                        refused.add(error.errno)
        value = [written, sorted(refused)]
        """,
        size=8 << 20,
    )

    assert 7 << 20 <= written <= 8 << 20
    assert refused == [28]


def test_the_scratch_space_is_limited_in_files(inside):
    count = inside(
        """
        count = 0
        for place in (str(home), "/tmp", "/dev/shm"):
            while tried(os.mkdir, f"{place}/{count}") == "done":
                count += 1
        value = [count, tried(os.mkdir, "more")]
        """,
        inodes=50,
    )

    assert 30 < count[0] < 50
    assert count[1] == "ENOSPC"


def test_nothing_in_the_scratch_space_can_be_executed(inside):
    assert inside(
        """
            import shutil, subprocess
            shutil.copy("/bin/true", "copy")
            value = [subprocess.run(["/bin/true"]).returncode, tried(subprocess.run, ["./copy"])]
            """,
        programs=True,
    ) == [0, "EACCES"]


def test_a_readable_folder_is_reached_through_links_and_its_neighbours_are_not_there(inside):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for place in ("data/inner/deep", "other"):
            (folder / place).mkdir(parents=True)
            (folder / place / "file").write_text(place)
        (folder / "absolute").symlink_to(folder / "data")
        (folder / "relative").symlink_to("absolute/inner/../inner")
        paths = [
            folder / "relative",
            folder / "data" / "inner" / "deep",
            folder / "other" / "file",
            folder / "data" / "inner",
        ]
        answer = inside(
            f"""
            folder = {name!r}
            paths = ("relative/deep/file", "absolute/inner/deep/file", "other/file")
            read = [open(f"{{folder}}/{{path}}").read() for path in paths]
            listed = [sorted(os.listdir(folder)), os.listdir(folder + "/data")]
            value = [read, *listed, tried(open, folder + "/other/file", "w")]
            """,
            readable=[str(path) for path in paths],
        )

    assert answer == [
        ["data/inner/deep", "data/inner/deep", "other"],
        ["absolute", "data", "other", "relative"],
        ["inner"],
        "EROFS",
    ]


def test_devices_are_the_harmless_ones(inside):
    answer = inside(
        """
        open("/dev/null", "w").write("x")
        full = tried(lambda: open("/dev/full", "wb", buffering=0).write(b"x"))
        read = [len(open("/dev/urandom", "rb").read(8)), open("/dev/zero", "rb").read(2).hex()]
        value = [sorted(os.listdir("/dev")), *read, full]
        """
    )

    assert answer == [["full", "null", "random", "shm", "urandom", "zero"], 8, "0000", "ENOSPC"]


def test_shell_commands_find_a_shell_and_a_terminal_where_they_may(inside):
    run = """
        import pty, subprocess
        ours, theirs = pty.openpty()
        subprocess.run("test -t 1 && ls -d /usr && id -un", shell=True, stdout=theirs)
        os.close(theirs)
        said = b""
        while said.count(b"\\n") < 2:  # a terminal may hand out what was written piece by piece
            said += os.read(ours, 100)
        value = said.decode().split()
        """
    assert inside(run, programs=True) == ["/usr", "worker"]
    assert inside("value = [tried(os.open, '/dev/ptmx', os.O_RDWR), os.path.exists('/bin')]") == ["ENOENT", False]


def test_mounts_cannot_be_changed_afterwards(inside):
    answer = inside(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        def call(name, *arguments):
            if getattr(libc, name)(*arguments):
                raise OSError(ctypes.get_errno(), "")
        value = [
            tried(call, "mount", b"x", os.fsencode(home), b"tmpfs", 0, None),
            tried(call, "mount", None, b"/", None, 32 | 4096, None),
            tried(call, "umount2", b"/usr/lib", 2),
            tried(call, "unshare", 0x20000),
            tried(os.chroot, "/"),
        ]
        """
    )

    assert answer == ["EPERM"] * 5


def test_shared_memory_of_the_machine_is_not_there(inside):
    libc, key = ctypes.CDLL(None), secrets.randbelow(1 << 30) + 1
    segment = libc.shmget(key, 4096, 0o1666)
    shared = Path("/dev/shm", f"canary-{secrets.token_hex(8)}")
    shared.write_text("secret")
    try:
        answer = inside(
            f"""
            import ctypes, mmap
            libc = ctypes.CDLL(None)
            value = [libc.shmget({key}, 0, 0), libc.shm_open({os.fsencode(shared.name)!r}, os.O_RDONLY, 0)]
            made = libc.shm_open(b"own", os.O_RDWR | os.O_CREAT, 0o600)
            os.ftruncate(made, 4096)
            mmap.mmap(made, 4096)[0] = 1
            """
        )
    finally:
        shared.unlink()
        libc.shmctl(segment, 0, None)

    assert answer == [-1, -1]


def test_torch_learns_and_saves(inside):
    answer = inside(
        """
        layer = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        optimiser = torch.optim.Adam(layer.parameters())
        x = torch.rand(2, 5, 8)
        layer(x, x, x)[0].sum().backward()
        optimiser.step()
        torch.save(layer.state_dict(), "layer.pt")
        layer.load_state_dict(torch.load("layer.pt"))
        torch.set_num_threads(2)
        value = [list((torch.rand(300, 300) @ torch.rand(300, 300)).shape), os.cpu_count() > 0]
        """
    )

    assert answer == [[300, 300], True]


def test_figures_are_drawn_and_fonts_found(inside):
    answer = inside(
        """
        figure, axes = pyplot.subplots()
        axes.imshow(torch.rand(4, 4).numpy())
        axes.set_title("weights of $x^2$")
        figure.savefig("figure.png"), figure.savefig("figure.pdf")
        value = min(os.path.getsize(name) for name in ("figure.png", "figure.pdf"))
        """
    )

    assert answer > 1000


def test_what_was_not_imported_yet_can_be(inside):
    answer = inside(
        """
        import sys
        assert "IPython" not in sys.modules
        import IPython, sqlite3, zoneinfo, multiprocessing.pool, xml.dom.minidom, torch._dynamo
        from IPython.core.interactiveshell import InteractiveShell
        value = [InteractiveShell.instance().run_cell("x = 20 + 1\\nx").result, str(zoneinfo.ZoneInfo("UTC"))]
        """
    )

    assert answer == [21, "UTC"]


def test_threads_and_processes_talk_as_a_kernel_does(inside):
    answer = inside(
        """
        import threading, zmq
        seen = []
        threads = [threading.Thread(target=lambda: seen.append(float(torch.ones(3).sum()))) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        address = f"ipc://{home}/kernel"
        if os.fork() == 0:
            client = zmq.Context().socket(zmq.REQ)
            client.connect(address)
            client.send(b"hello")
            client.recv()
            os._exit(0)
        server = zmq.Context().socket(zmq.REP)
        server.bind(address)
        value = [seen, server.recv().decode()]
        server.send(b"")
        os.wait()
        """
    )

    assert answer == [[3.0] * 4, "hello"]


def test_readable_paths_hold_no_checkout():
    for path in rootfs.readable_paths(programs=True):
        assert path.exists()
        assert not CHECKOUT.is_relative_to(path.resolve())


def test_a_failing_step_is_named():
    if problem := namespaces._try(namespaces.ALL | namespaces.NEWUSER):
        pytest.skip(f"refused here: {problem}")
    taken, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            inner = namespaces.clone(namespaces.ALL | namespaces.NEWUSER)
            if inner:
                os.waitpid(inner, 0)
            else:
                error = _refusal(Path("/nonexistent"))
                os.write(said, f"{error.filename}: {error.strerror}".encode())
        os._exit(0)
    os.close(said)
    with open(taken, encoding="utf-8") as lines:
        text = lines.read()
    os.waitpid(pid, 0)

    assert text == "mount tmpfs on /nonexistent: No such file or directory"


def _refusal(home: Path) -> OSError:
    try:
        rootfs.own_root(home, [], [], size=1 << 20, inodes=10)
    except OSError as error:
        return error
    raise AssertionError("it worked")
