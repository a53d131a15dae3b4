from __future__ import annotations

import msgspec
import pytest

from grader.surroundings import Surroundings, advice, look
from grader.walls import CONFINED, SEALED, Layer, Walls

NAMESPACES = Layer(
    name="own root",
    stands=False,
    needed=True,
    why="refused",
    remedy="run as root, or allow user namespaces to normal users",
)
WEAKER = Walls(level=CONFINED, layers=(NAMESPACES,), open=("seeing that other files exist",))
PLAIN = Surroundings(root=False, container="", actions=False, wsl=False, apparmor=False, clone_off=False)


def place(**facts: bool | str) -> Surroundings:
    known = {field: getattr(PLAIN, field) for field in Surroundings.__slots__}
    return Surroundings(**{**known, **facts})


def test_where_the_level_is_the_best_there_is_nothing_to_do():
    best = msgspec.structs.replace(WEAKER, level=SEALED)

    assert advice(place(actions=True, container="Docker", apparmor=True), best) == ()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"actions": True}, "sudo -E"),
        ({"container": "Docker"}, "--cap-add SYS_ADMIN"),
        ({"apparmor": True}, "kernel.apparmor_restrict_unprivileged_userns=0"),
        ({"clone_off": True}, "user.max_user_namespaces"),
        ({"wsl": True}, "/mnt/c"),
    ],
)
def test_each_place_has_its_own_advice(facts, words):
    said = advice(place(**facts), WEAKER)

    assert words in said[0]
    assert words not in " ".join(advice(PLAIN, WEAKER))


@pytest.mark.parametrize("facts", [{"apparmor": True}, {"clone_off": True}])
def test_what_only_restricts_normal_users_is_no_advice_for_root(facts):
    assert advice(place(root=True, **facts), WEAKER) == advice(place(root=True), WEAKER)


def test_what_a_layer_needs_is_said_everywhere():
    assert advice(PLAIN, WEAKER) == (f"own root: {NAMESPACES.remedy}.",)


def test_looking_around_changes_nothing_and_agrees_with_itself():
    assert look() == look()
