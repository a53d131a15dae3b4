"""The probes find what a child can do: everything when it is only forked, less with each wall, nothing with all."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.worker import landlock, namespaces, privileges, probes, rootfs, seccomp

WORKER = 1_879_048_192
"""A user that nobody is."""
SHIELDED_BY_LANDLOCK = {
    "reading other files",
    "writing beside its folder",
    "writing into libraries",
    "writing to shared memory",
    "opening the memory of other processes",
    "reading the environment of other processes",
}


def found(lock: Callable[[Path], None], fork: Callable[[], int] = os.fork) -> set[str]:
    """What a child can do that was forked and locked like this."""
    with tempfile.TemporaryDirectory() as folder, probes.targets(Path(folder)) as targets:
        home = Path(folder, "home")
        home.mkdir()
        reading, writing = os.pipe()
        pid = fork()
        if pid == 0:
            try:
                lock(home)
                os.write(writing, json.dumps(probes.attack(targets)).encode())
            except BaseException as error:
                os.write(writing, json.dumps([f"it was not locked: {error!r}"]).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as answers:
            said = answers.read()
        os.waitpid(pid, 0)
    return set(json.loads(said))


def nothing(_: Path) -> None:
    """No wall at all."""


def landlocked(home: Path) -> None:
    landlock.confine(readable=rootfs.readable_paths(), writable=[home])


def filtered(_: Path) -> None:
    seccomp.confine(seccomp.MODULE)


def confined(home: Path) -> None:
    landlocked(home)
    filtered(home)


def rooted(home: Path) -> None:
    root = os.geteuid() == 0
    rootfs.own_root(
        home,
        rootfs.readable_paths(),
        rootfs.hidden_paths(),
        size=64 << 20,
        inodes=4096,
        owner=WORKER if root else None,
    )
    privileges.drop(WORKER if root else None)


def sealed(home: Path) -> None:
    rooted(home)
    filtered(home)


needs_landlock = pytest.mark.skipif(landlock.abi() < 6, reason="Landlock is missing or too old")
needs_namespaces = pytest.mark.skipif(
    namespaces.possible().kind is namespaces.Kind.NONE, reason="no namespaces for this user"
)


def test_a_child_that_is_only_forked_can_do_nearly_everything():
    open_ = found(nothing)

    assert SHIELDED_BY_LANDLOCK - {"writing into libraries"} <= open_
    assert {"TCP connections", "UDP packets", "unix sockets by path", "running programs"} <= open_


@needs_landlock
def test_landlock_shields_files_and_what_is_reached_through_files():
    open_ = found(landlocked)

    assert not open_ & SHIELDED_BY_LANDLOCK
    assert "UDP packets" in open_


def test_a_filter_on_system_calls_shields_what_has_no_path():
    open_ = found(filtered)

    assert open_ <= SHIELDED_BY_LANDLOCK | {"seeing that other files exist"}
    assert "reading other files" in open_


@needs_landlock
def test_both_without_any_privilege_leave_only_that_files_exist():
    assert found(confined) == {"seeing that other files exist"}


@needs_namespaces
def test_an_own_root_and_namespaces_leave_only_what_has_no_path():
    open_ = found(rooted, lambda: namespaces.clone(namespaces.possible().flags))

    assert open_ <= {"running programs", "making namespaces"}


@needs_namespaces
def test_all_walls_leave_nothing():
    assert found(sealed, lambda: namespaces.clone(namespaces.possible().flags)) == set()


def test_a_folder_of_its_own_at_the_same_path_does_not_count_as_the_one_outside(tmp_path):
    with probes.targets(tmp_path) as targets:
        elsewhere = dataclasses.replace(targets, place=(0, 0))

        assert probes.PROBES["writing beside its folder"](targets)
        assert not probes.PROBES["writing beside its folder"](elsewhere)


def test_a_probe_that_cannot_be_carried_out_counts_as_open():
    def broken(_: probes.Targets) -> bool:
        raise RuntimeError("not an error of the operating system")

    assert probes._succeeds(broken, None)


def test_the_targets_are_gone_afterwards(tmp_path):
    with probes.targets(tmp_path):
        assert (tmp_path / "canary").stat().st_mode & 0o777 == 0o600

    assert list(tmp_path.iterdir()) == []
