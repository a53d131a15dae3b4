"""Golden files: what a report looked like when a person last looked at it.

`ACCEPT_GOLD=1 pytest tests/reports` accepts what is rendered now; `git diff tests/gold` shows what that changes.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "gold"


def assert_gold(name: str, content: bytes) -> None:
    """The content is that of the golden file; if not, it is kept beside it as `.actual`."""
    golden = FOLDER / name
    actual = golden.with_name(golden.name + ".actual")
    if os.environ.get("ACCEPT_GOLD") == "1":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(content)
    expected = golden.read_bytes() if golden.exists() else b""
    if content != expected:
        actual.write_bytes(content)
    else:
        actual.unlink(missing_ok=True)

    assert content == expected, f"compare {actual} with {golden.name}; to accept: ACCEPT_GOLD=1 pytest tests/reports"
