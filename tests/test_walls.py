from __future__ import annotations

import pytest

from grader import walls
from grader.model import IsolationLevel
from grader.walls import CONFINED, EXISTENCE, PROCESS_ONLY, SEALED, SEPARATE_USER, Layer, Walls
from grader.worker import probes, proving

EVERYTHING = {*probes.PROBES, proving.SURVIVING, proving.UNLOCKED}


@pytest.mark.parametrize(
    ("still_open", "own_root", "level"),
    [
        ((), True, SEALED),
        ((), False, CONFINED),
        ((EXISTENCE,), True, CONFINED),
        ((EXISTENCE,), False, CONFINED),
        (("running programs",), True, SEPARATE_USER),
        (("running programs",), False, SEPARATE_USER),
        (("TCP connections", "UDP packets", EXISTENCE), False, SEPARATE_USER),
        (("unix sockets by path", "making namespaces"), True, SEPARATE_USER),
        (("reading other files",), True, PROCESS_ONLY),
        (("signalling other processes", "UDP packets"), False, PROCESS_ONLY),
        ((proving.SURVIVING,), True, PROCESS_ONLY),
        ((proving.UNLOCKED,), True, PROCESS_ONLY),
        ((f"{proving.UNLOCKED} (capset: Operation not permitted)",), True, PROCESS_ONLY),
        ((f"{EXISTENCE} (at times)",), True, CONFINED),
        (tuple(EVERYTHING), True, PROCESS_ONLY),
        (("something that nobody has a name for",), True, SEPARATE_USER),
    ],
)
def test_the_level_follows_from_what_is_still_open(still_open, own_root, level):
    assert walls.level(still_open, own_root=own_root) == level


def test_no_attack_that_succeeded_leaves_a_worker_sealed():
    assert {name for name in EVERYTHING if walls.level([name], own_root=True) == SEALED} == set()


def test_one_attack_alone_leaves_a_worker_confined():
    assert {name for name in EVERYTHING if walls.level([name], own_root=True) == CONFINED} == {EXISTENCE}


def test_one_more_success_never_makes_the_level_better():
    levels = [SEALED, CONFINED, SEPARATE_USER, PROCESS_ONLY]

    for first in EVERYTHING:
        for second in EVERYTHING:
            alone, both = (levels.index(walls.level(found, own_root=True)) for found in ([first], [first, second]))
            assert both >= alone


def test_every_attack_that_the_levels_speak_of_is_carried_out():
    assert walls.REACHING_OTHERS | {EXISTENCE} <= EVERYTHING


def test_the_levels_are_those_of_the_reports():
    assert tuple(IsolationLevel) == (SEALED, CONFINED, SEPARATE_USER, PROCESS_ONLY)


def test_what_the_best_level_lacks_is_named_with_its_reasons():
    found = Walls(
        level=CONFINED,
        layers=(
            Layer(name="own root", stands=False, needed=True, why="refused", remedy="run as root"),
            Layer(name="Landlock", stands=True, needed=True, why="version 7"),
            Layer(name="control group", stands=False, why="none"),
        ),
        open=(EXISTENCE,),
    )

    assert found.missing == ("own root: refused", f"still possible: {EXISTENCE}")
