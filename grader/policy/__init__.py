"""What the graded class reaches in the files it was handed in with: forbidden functions, and calls that are hidden.

What is forbidden and written down is a hit, and costs the point of its check. What can only be suspected, because the
source does not show what is called, is a flag: it is for the instructor, and costs nothing.
"""

from __future__ import annotations

from grader.policy.meaning import Own
from grader.policy.program import Program
from grader.policy.search import Found, forbidden_uses, search
from grader.policy.trees import top_level

__all__ = [
    "Found",
    "Own",
    "Program",
    "forbidden_uses",
    "search",
    "top_level",
]
