"""The temporary folder of a run: where sockets have room."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from grader.executors.rooms import LONGEST_PLACE, scratch_folder


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    return folder


def test_below_a_long_path_another_place_is_taken(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    made = scratch_folder()
    made.rmdir()

    assert not made.is_relative_to(deep)
    assert len(str(made)) < LONGEST_PLACE


def test_where_there_is_no_other_the_long_one_is_taken(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.setattr("grader.executors.rooms.SHORT_PLACES", ("/nowhere/at/all",))

    assert scratch_folder().parent == deep


def test_the_usual_place_is_taken_where_its_path_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(usual))
    made = scratch_folder()
    made.rmdir()
    usual.rmdir()

    assert made.parent == usual
