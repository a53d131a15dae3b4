"""A root file system in memory: Python, its libraries and a little scratch space, and nothing else of the machine.

Theory of operation
-------------------
`own_root` runs in a child that has a mount namespace of its own, with the right to mount there. It builds the new root
on top of the child's home, so that it needs no other place:

    /                      tmpfs, read-only in the end
    /usr/lib, ...          what `readable_paths` names: bound read-only, nosuid, nodev, at the paths they have outside
    /dev                   null, zero, full, random, urandom; terminals of its own where asked for
    /etc/passwd, group     one line each: the worker's own user; none of the machine's
    home, /tmp, /dev/shm   one tmpfs with a limit of bytes and of files, noexec: home is a folder of it

Then it pivots there and detaches the old root. There is no /proc and no /sys: torch, numpy, matplotlib, IPython and
multiprocessing work without, and a fresh /proc may not be mounted in most containers. Only torch wants /proc/cpuinfo,
once: the warm process must have multiplied two matrices. Paths are taken apart by hand, because an absolute symbolic
link inside the half-built root leads back to the machine's.

What was opened before stays open, and a folder's descriptor leads to the old files: close descriptors first. Nothing
here is undone on failure: the child must end.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2
AT_FDCWD: Final = -100
AT_RECURSIVE: Final = 0x8000
SEALED: Final = MS_RDONLY | MS_NOSUID | MS_NODEV
"""These flags have the same values in mount(2) and in mount_setattr(2)."""

DEVICES: Final = ("null", "zero", "full", "random", "urandom")
SYSTEM: Final = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/fonts",
    "/nix/store",
    "/gnu/store",
)
PROGRAMS: Final = ("/bin", "/usr/bin", "/usr/local/bin")

_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
MOUNT_SETATTR: Final = 442  # the same everywhere: it is younger than the table that all share


def readable_paths(*, programs: bool = False) -> list[Path]:
    """The folders and files that Python and its libraries are loaded from, now and by later imports.

    Taken from where Python is installed, not from all of `sys.path`: an editable install may have put a checkout there.
    With `programs` also what the shell commands of a notebook need.
    """
    names = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    names += [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    for prefix in {sys.base_prefix, sys.base_exec_prefix, sys.prefix} - {"/", "/usr"}:
        names += [f"{prefix}/{name}" for name in ("lib", "lib64", *(("bin", "pyvenv.cfg") if programs else ()))]
    names += [*SYSTEM, *(PROGRAMS if programs else ())]
    return [path for name in dict.fromkeys(names) if (path := Path(name)).exists()]


def hidden_paths() -> list[Path]:
    """What lies below a readable folder and is nobody's business inside: this package, where it is installed there."""
    return [Path(__file__).parents[1]]


def own_root(
    home: Path,
    readable: Sequence[Path],
    hidden: Sequence[Path],
    *,
    size: int,
    inodes: int,
    owner: int | None = None,
    terminals: bool = False,
) -> None:
    """Give this process, the child of a `clone` with NEWNS, a root that holds nothing but what is named here.

    Args:
        home: an empty folder, its path without symbolic links; it becomes the working directory, writable and
            limited, at this same path.
        readable: what can be read, at the same paths as outside, symbolic links on the way included.
        hidden: what of it is empty nevertheless. What is not below a readable folder is not there anyway.
        size: bytes for all of home, /tmp and /dev/shm; /tmp is seen at /dev/shm too.
        inodes: files and folders in them; a handful is taken by the place itself.
        owner: user and group that will own them; by default the present one.
        terminals: whether pseudo-terminals can be opened, as for the shell commands of a notebook.

    Raises:
        OSError: a step failed; `filename` says which. The process must end then.
    """
    before = os.umask(0o022)  # with 077 nobody but root could enter the folders that lead to Python
    new, outside = os.path.realpath(home), _resolve(readable)
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount("root", new, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m,nr_inodes=4096,mode=755")
    for name in DEVICES:
        _bind(f"/dev/{name}", f"{new}/dev/{name}", MS_RDONLY | MS_NOSUID | MS_NOEXEC)
    _scratch(new, new, f"size={size},nr_inodes={inodes}", owner)
    if terminals:
        os.mkdir(f"{new}/dev/pts")
        _mount("terminals", f"{new}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=600")
        os.symlink("pts/ptmx", f"{new}/dev/ptmx")
    for folder in outside.sources:
        _bind(folder, new + folder, SEALED)
    for link, target in outside.links:
        if not os.path.lexists(new + link):
            os.makedirs(os.path.dirname(new + link), exist_ok=True)
            os.symlink(target, new + link)
    for path in hidden:
        _cover(new, os.path.realpath(path))
    _write_passwd(f"{new}/etc", os.geteuid() if owner is None else owner, home)
    _enter(new)
    os.chdir(home)
    os.umask(before)


@dataclass(frozen=True, slots=True)
class _Outside:
    """Real paths to bind, none inside another, and the symbolic links that lead to them, as (path, target)."""

    sources: list[str]
    links: list[tuple[str, str]]


def _resolve(paths: Sequence[Path]) -> _Outside:
    links: dict[str, str] = {}
    sources: list[str] = []
    for real in sorted({_follow(str(path), links) for path in paths}):
        if not _inside(real, sources):
            sources.append(real)
    return _Outside(sources, [(link, target) for link, target in links.items() if not _inside(link, sources)])


def _follow(path: str, links: dict[str, str]) -> str:
    """The real path, noting each symbolic link that was passed."""
    done, todo = "", [part for part in path.split("/") if part]
    while todo:
        part = todo.pop(0)
        if part in (".", ".."):
            done = os.path.dirname(done) if part == ".." else done
            continue
        here = f"{done}/{part}"
        if not os.path.islink(here):
            done = here
            continue
        if len(links) > 1000:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        links[here] = target = os.readlink(here)
        todo = [piece for piece in target.split("/") if piece] + todo
        done = "" if target.startswith("/") else done
    return done


def _inside(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _scratch(new: str, home: str, options: str, owner: int | None) -> None:
    """Mount the one writable file system at /tmp, and make the home a folder of it, wherever that is to be seen."""
    os.mkdir(f"{new}/tmp")
    _mount("scratch", f"{new}/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, f"{options},mode=700")
    os.symlink("/tmp", f"{new}/dev/shm")  # libc follows it
    place = next((place for place in ("/tmp/", "/dev/shm/") if home.startswith(place)), None)
    folder = f"{new}/tmp/.home" if place is None else f"{new}/tmp/{home.removeprefix(place)}"
    os.makedirs(folder)
    os.chmod(folder, 0o700)
    if owner is not None:
        os.chown(f"{new}/tmp", owner, owner)
        os.chown(folder, owner, owner)
    if place is None:
        os.makedirs(f"{new}{home}", exist_ok=True)
        _mount(folder, f"{new}{home}", None, MS_BIND)


def _cover(new: str, path: str) -> None:
    """Make a folder below the new root empty, or a file."""
    target = new + path
    if os.path.isdir(target):
        _mount("hidden", target, "tmpfs", SEALED | MS_NOEXEC, "size=4k,nr_inodes=2,mode=555")
    elif os.path.exists(target):
        _mount(f"{new}/dev/null", target, None, MS_BIND)


def _write_passwd(folder: str, user: int, home: Path) -> None:
    os.makedirs(folder, exist_ok=True)
    for name, line in (("passwd", f"worker:x:{user}:{user}::{home}:/nonexistent\n"), ("group", f"worker:x:{user}:\n")):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(line)


def _bind(source: str, target: str, flags: int) -> None:
    """Bind a file or folder where it is to be seen, with these restrictions."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    try:
        _mount(source, target, None, MS_BIND)
        recursive = False
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _mount(source, target, None, MS_BIND | MS_REC)  # a user namespace may not leave out what is mounted below
        recursive = True
    _restrict(target, flags, recursive=recursive)


def _enter(new: str) -> None:
    """Make this the root, read-only, and let go of the old one."""
    os.chdir(new)
    here = ctypes.c_char_p(b".")
    _require(_libc().syscall(ctypes.c_long(_pivot_root()), here, here), "pivot_root")
    _umount(".")  # the old root lies on top of the new one
    os.chdir("/")
    _restrict("/", SEALED | MS_NOEXEC, recursive=False)


def _pivot_root() -> int:
    machine = os.uname().machine
    if machine not in _PIVOT_ROOT:
        raise OSError(errno.ENOSYS, f"not known on {machine}", "pivot_root")
    return _PIVOT_ROOT[machine]


def _restrict(target: str, flags: int, *, recursive: bool) -> None:
    """Add restrictions to a mount. Those that it has are kept: a user namespace must not take any away."""
    attributes = struct.pack("QQQQ", flags, 0, 0, 0)
    how = ctypes.c_long(AT_RECURSIVE if recursive else 0)
    arguments = (ctypes.c_long(AT_FDCWD), os.fsencode(target), how, attributes, ctypes.c_long(len(attributes)))
    if _libc().syscall(ctypes.c_long(MOUNT_SETATTR), *arguments) == 0:
        return
    if recursive:
        _require(-1, f"mount_setattr {target}")
    kept = os.statvfs(target).f_flag & 0xF  # kernels before 5.12; ST_RDONLY and its kin are the same bits
    _mount("none", target, None, MS_REMOUNT | MS_BIND | flags | kept)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    given = _libc().mount(
        os.fsencode(source), os.fsencode(target), kind.encode() if kind else None, flags, options.encode() or None
    )
    _require(given, f"mount {kind or source} on {target}")


def _umount(target: str) -> None:
    _require(_libc().umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    text = ctypes.c_char_p
    libc.mount.argtypes = (text, text, text, ctypes.c_ulong, text)
    libc.umount2.argtypes = (text, ctypes.c_int)
    return libc


def _require(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
