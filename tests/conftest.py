"""How the tests are shared out between processes: a file's together, since they share what they are about."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests belong together; each file's do, and where it runs something in several modes, each mode's."""
    for item in items:
        mode = getattr(getattr(item, "callspec", None), "params", {}).get("run", "")
        item.add_marker(pytest.mark.xdist_group(f"{item.path} {mode}"))
