"""Runs checks under plain pytest, in one process, on a file that is trusted: for authors of checks, and for benchmarks.

    python -m pytest -p grader.examiner.standalone --submission solutions/multi-head-attention/reference.py \\
        --class MultiHeadSelfAttention assignments/multi-head-attention/checks

Nothing is isolated and nothing is warm here. Grading never uses it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.examiner.adapting import contract_names
from grader.examiner.fixtures import Fixtures, Sitting
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.model import Contract, Limits, Match


def pytest_addoption(parser: pytest.Parser) -> None:
    """The file under examination, and its class."""
    group = parser.getgroup("grader")
    group.addoption("--submission", type=Path, required=True, help="a trusted file that defines the class")
    group.addoption("--class", dest="target", required=True, help="the class to examine")
    group.addoption("--construct", default="embed_dim, num_heads, dropout=0.0", help="the contract's constructor")
    group.addoption("--call", default="x, mask=None", help="the contract's forward")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known and the fixtures available."""
    config.addinivalue_line("markers", "check(points, concept, hidden, after): a check worth points")
    contract = Contract(construct=config.getoption("construct"), call=config.getoption("call"))
    assert contract_names(contract.construct)
    file: Path = config.getoption("submission")
    match = Match(file=str(file), target=config.getoption("target"))
    fixtures = Fixtures()
    session = Session(InProcess(file), match, Limits(seconds=3600, check_seconds=600), seed=0)
    fixtures.sitting = Sitting(session, contract, (), seed="standalone")
    config.pluginmanager.register(fixtures, "grader-fixtures")
