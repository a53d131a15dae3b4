from __future__ import annotations

from grader.release.publishing import published

SOURCE = '''\
"""About outputs."""

from __future__ import annotations

import math
import os, sys

import pytest

from grader.checks import check, fail, properties

# a word about the hidden check below
SIZE = 24
SECRET = math.pi
PUBLIC_SIZE = SIZE  # and one behind a line


def shared(x):
    """Both use it."""
    return x


def only_hidden(x):
    return SECRET


@pytest.fixture
def prepared():
    return sys.path


@check(points=1, concept="a")
def test_first(student):
    """The first."""
    # inside it is about this check
    shared(PUBLIC_SIZE)


# the hidden one
@check(points=1, concept="a", hidden=True, after="test_first")
def test_hidden(student):
    """Nobody knows."""
    properties.secret(shared(only_hidden(os)))


@check(
    points=1,
    concept="a",
    after=("test_first", "test_hidden"),
)
def test_last(prepared):
    """The last."""
    fail("no")  # a remark about test_hidden
'''

PUBLIC = {"test_first": (), "test_last": ("test_first",)}


def test_only_what_public_checks_reach_is_kept_without_a_comment_beside_it() -> None:
    assert (
        published(SOURCE, PUBLIC).source
        == '''\
"""About outputs."""

from __future__ import annotations

import sys

import pytest

from grader.checks import check, fail

SIZE = 24
PUBLIC_SIZE = SIZE


def shared(x):
    """Both use it."""
    return x


@pytest.fixture
def prepared():
    return sys.path


@check(points=1, concept="a")
def test_first(student):
    """The first."""
    # inside it is about this check
    shared(PUBLIC_SIZE)


@check(points=1, concept='a', after='test_first')
def test_last(prepared):
    """The last."""
    fail("no")
'''
    )


def test_what_is_withheld_is_known() -> None:
    withheld = published(SOURCE, PUBLIC).withheld

    assert [part.splitlines()[0] for part in withheld] == [
        "SECRET = math.pi",
        "def only_hidden(x):",
        '@check(points=1, concept="a", hidden=True, after="test_first")',
    ]


def test_a_file_of_hidden_checks_alone_is_left_out() -> None:
    assert published(SOURCE, {}).source == ""


def test_a_file_without_hidden_checks_keeps_all_its_checks() -> None:
    everything = {"test_first": (), "test_hidden": ("test_first",), "test_last": ("test_first", "test_hidden")}
    made = published(SOURCE, everything)

    assert made.withheld == ()
    assert 'after=("test_first", "test_hidden"),' in made.source
