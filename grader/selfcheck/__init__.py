"""A student's own look at their work: the public checks alone, on one's own machine, as often as one likes."""

from __future__ import annotations

from grader.selfcheck.choosing import Plan, assignments, choose, plan, read, seed
from grader.selfcheck.watching import Saves

__all__ = ["Plan", "Saves", "assignments", "choose", "plan", "read", "seed"]
