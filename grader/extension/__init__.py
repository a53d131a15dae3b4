"""The public checks inside a running kernel, on the classes that it holds.

Theory of operation
-------------------
The kernel plays the worker: a `Desk` in its main thread answers questions about the student's own class, over the wire
that a worker answers on. The checks are in a process of their own, as always: it is started once, stays warm, and forks
for each look. Nothing is walled in, since it is the student's own code in the student's own kernel; and nothing in the
kernel is left changed (`undisturbed`).
"""

from __future__ import annotations

from grader.extension.asking import check, magic

__all__ = ["check", "magic"]
