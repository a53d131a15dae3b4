"""Proves how well workers are walled in: one is forked and locked as for a submission, and attacks.

Two are, in fact, a module's and a notebook's: the second may fork. It is killed while a process that it started, and
that left its session, still lives; nothing may be left of that when the warm process has done what it does whenever a
child ends. The level follows from what the two could do. The layers are told for people only: what stands, what it
rests on, and what would be needed for more.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from pathlib import Path
from typing import Final, NoReturn

from grader import forkserver, walls
from grader.walls import Layer, Walls
from grader.worker import cgroups, probes
from grader.worker.lockdown import Bounds, Lock, Plan
from grader.worker.namespaces import Kind
from grader.worker.nursery import Nursery

BOUNDS: Final = Bounds(memory=4 << 30, cpu_seconds=20)
PATIENCE: Final = 20.0
"""Seconds for all attacks of one child. They take some milliseconds, or as long as connections to nobody do."""
PROMPTLY: Final = 1.0
"""Seconds in which everything that a killed child had started must be gone."""

SURVIVING: Final = "leaving a process behind"
UNLOCKED: Final = "starting without walls"


def prove(plan: Plan, nursery: Nursery, folder: Path) -> Walls:
    """Fork, lock and attack; `folder` is an empty place that children may not reach."""
    found: list[str] = []
    forkserver.become_subreaper()
    with probes.targets(folder) as targets:
        for forking in (False, True):
            home = folder / f"home-{forking}"
            home.mkdir()
            found += _attacks(nursery, home, targets, forking=forking)
            home.rmdir()
    still_open = tuple(dict.fromkeys(found))
    return Walls(
        level=walls.level(still_open, own_root=plan.own_root),
        layers=_layers(plan),
        open=still_open,
    )


def _attacks(nursery: Nursery, home: Path, targets: probes.Targets, *, forking: bool) -> list[str]:
    """What a child could do, locked for a module or, with `forking`, for a notebook."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    elders = forkserver.children()
    try:
        pid = nursery.fork()
    except OSError as error:
        return [f"{UNLOCKED} ({error})"]
    if pid == 0:
        _attack(nursery.lock, home, targets, theirs, forking=forking)
    theirs.close()
    ours.settimeout(PATIENCE)
    try:
        packet = ours.recv(1 << 16)
        found: list[str] = json.loads(packet) if packet else [UNLOCKED]
    except (OSError, ValueError):
        found = [UNLOCKED]
    forkserver.end(pid, nursery, spared=elders)
    if forking and not _is_closed(ours):
        found.append(SURVIVING)
    ours.close()
    return found


def _attack(lock: Lock, home: Path, targets: probes.Targets, stream: socket.socket, *, forking: bool) -> NoReturn:
    try:
        lock.apply(keep=stream.fileno(), home=home, bounds=BOUNDS, forking=forking)
        if forking:
            lock.tighten()
            _leave_a_process(stream)
        stream.send(json.dumps(probes.attack(targets)).encode())
        signal.pause()
    except BaseException as error:
        stream.send(json.dumps([f"{UNLOCKED} ({error})"]).encode())
    finally:
        os._exit(1)


def _leave_a_process(stream: socket.socket) -> None:
    """Start one that gets away from its parent, and holds the stream open as long as it lives."""
    parent = os.fork()
    if parent == 0:
        os.setsid()
        if os.fork() == 0:
            stream.recv(1)  # whatever else fails, it ends when the proof does
        os._exit(0)
    os.waitpid(parent, 0)


def _is_closed(stream: socket.socket) -> bool:
    """Whether nobody holds the other end any more, in time."""
    return bool(select.select([stream], [], [], PROMPTLY)[0]) and not stream.recv(1)


def _layers(plan: Plan) -> tuple[Layer, ...]:
    ungrouped = cgroups.why_not()
    return (
        _namespaces(plan),
        Layer(
            name="Landlock",
            stands=bool(plan.landlock),
            needed=True,
            why=f"version {plan.landlock} of its interface" if plan.landlock else "the kernel has none, or refuses it",
            remedy="" if plan.landlock else "a kernel from 5.13 on with `landlock` among its security modules",
        ),
        Layer(
            name="filter on system calls",
            stands=not plan.unfiltered,
            needed=True,
            why=plan.unfiltered or os.uname().machine,
            remedy="an x86-64 or aarch64 machine with Linux" if plan.unfiltered else "",
        ),
        Layer(
            name="user of its own",
            stands=plan.users is not None,
            why="each worker another" if plan.users else "not running as root",
            remedy="" if plan.users else "not needed where the layers above stand",
        ),
        Layer(
            name="control group",
            stands=not ungrouped,
            why=ungrouped or "memory and processes of each worker's whole family are limited",
            remedy="run as root, or in a session that systemd delegates groups to" if ungrouped else "",
        ),
        Layer(
            name="limits",
            stands=True,
            why="memory, CPU time, file size, descriptors; no new privileges, no core files, dies with its parent",
        ),
    )


def _namespaces(plan: Plan) -> Layer:
    kind, reason = plan.namespaces.kind, plan.namespaces.reason
    return Layer(
        name="own root, processes, network and shared memory",
        stands=kind is not Kind.NONE,
        needed=True,
        why=reason if kind is Kind.NONE else f"through {'root' if kind is Kind.ROOT else 'user namespaces'}",
        remedy="run as root, or allow user namespaces to normal users" if kind is Kind.NONE else "",
    )
