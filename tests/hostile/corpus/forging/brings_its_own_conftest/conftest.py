# Empties the list of tests, and turns what is left into passes.
import os

import pytest

with open(os.path.join("@REPORTS@", "conftest-was-obeyed"), "w"):
    pass


def pytest_collection_modifyitems(items):
    items[:] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    result = yield
    result.get_result().outcome = "passed"


def pytest_sessionfinish(session):
    session.exitstatus = 0
