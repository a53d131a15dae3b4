"""How the warm worker forks its children: into namespaces of their own, each family in a control group.

Groups are made when they are first needed and used again: a child that ends leaves an empty one behind, or what it left
in there is killed.
"""

from __future__ import annotations

import itertools
import os
import secrets

from grader.worker import namespaces
from grader.worker.cgroups import Group
from grader.worker.lockdown import PROCESSES, Lock, Plan

RESERVE = 512 << 20
"""Bytes that a family may use beyond the address space of one process, files in its scratch space included."""


class Nursery:
    """Forks children for a `ForkServer`.

    Attributes:
        lock: what the next child has to take upon itself; in a child, its own.
    """

    def __init__(self, plan: Plan, *, memory: int) -> None:
        """`memory` is the most that the address space of any child will be limited to."""
        self._plan = plan
        self._memory = memory + RESERVE
        self._numbers = itertools.count(secrets.randbelow(1 << 16))  # what is limited by user, no other grader shares
        self._made: list[Group] = []
        self._idle: list[Group] = []
        self._taken: dict[int, Group] = {}
        self._grouping = True
        self.lock = Lock(plan)

    def fork(self) -> int:
        """Fork. Returns as `os.fork` does; raises `OSError` in the parent only."""
        number, group = next(self._numbers), self._group()
        self.lock = Lock(self._plan, slot=number, group=group)
        try:
            pid = namespaces.clone(self._plan.namespaces.flags) if self._plan.own_root else os.fork()
        except OSError:
            if group is not None:
                self._idle.append(group)
            raise
        if pid and group is not None:
            self._taken[pid] = group
        return pid

    def ended(self, pid: int) -> None:
        """Called when a child has ended, or is about to be killed: kill whoever is in its group."""
        group = self._taken.pop(pid, None)
        if group is not None and group.kill():
            self._idle.append(group)

    def close(self) -> None:
        """Remove the groups."""
        for group in self._made:
            group.remove()

    def _group(self) -> Group | None:
        if self._idle:
            return self._idle.pop()
        if not self._grouping:
            return None
        name = f"grader-{os.getpid()}-{secrets.token_hex(4)}"  # one of the same pid may have been killed before
        group = Group.make(name, memory=self._memory, pids=PROCESSES)
        if group is None:
            self._grouping = False
        else:
            self._made.append(group)
        return group
