from __future__ import annotations

from pathlib import Path

import pytest

from grader.checks.faults import Fault, Raised
from grader.examiner.explaining import INVESTIGATIONS, Notebook
from grader.examiner.mismatch import text_of
from grader.examiner.scenes import PATIENCE, Case, Scene, investigate, scene_of
from grader.examiner.sizes import CallSizes, other_than

from .raising import SEVERAL, SINGLE, changed, noted, opened, use

HERE = CallSizes(embed=24, heads=4, batch=2, seq=5)
THERE = other_than(HERE)


def case_of(folder: Path, source: str, *, masked: bool = False) -> Case:
    """What became of a module that raises."""
    contract = SEVERAL if "num_heads" in source else SINGLE
    session = opened(folder, source)
    with pytest.raises(Raised) as caught:
        use(session, contract, (), masked=masked, slopes=False)
    return investigate(scene_of(caught.value, session, contract, session.memory["config"]), session, contract)


def test_a_scene_knows_what_was_built_and_what_was_handed_in(tmp_path: Path) -> None:
    raises = ("return self.output(merged)", "if mask is not None: raise ValueError\n        return self.output(merged)")
    scene = case_of(tmp_path, changed("fused", raises), masked=True).here

    assert scene.sizes == CallSizes(embed=24, heads=4, batch=3, seq=5)
    assert scene.mask == (3, 5, 5)
    assert scene.count(24, 24) == 4
    assert scene.inputs == {"x"}


def test_a_scene_knows_what_the_student_calls_its_inputs(tmp_path: Path) -> None:
    three = [
        ("x, mask=None", "q_in, k_in, v_in, mask=None"),
        ("self.query(x), self.key(x), self.value(x)", "1 / 0, 0, 0"),
    ]
    scene = case_of(tmp_path, changed("alone", *three)).here

    assert scene.inputs == {"q_in", "k_in", "v_in"}
    assert scene.sizes == CallSizes(embed=24, batch=2, seq=5)


def test_the_same_is_done_once_more_at_other_sizes(tmp_path: Path) -> None:
    case = case_of(tmp_path, changed("fused", ("q @ k.transpose(-2, -1)", "q @ k")))

    assert case.here.sizes == HERE
    assert case.there is not None
    assert case.there.sizes == THERE
    assert "[8, 6] but got: [8, 5]" in text_of(case.here)
    assert "[20, 7] but got: [20, 6]" in text_of(case.there)
    assert not case.is_kept


def test_with_a_mask_the_mask_has_other_sizes_too(tmp_path: Path) -> None:
    case = case_of(tmp_path, changed("fused", ("mask.unsqueeze(-3)", "mask")), masked=True)

    assert case.there is not None
    assert case.there.mask == (case.there.sizes.batch, case.there.sizes.seq, case.there.sizes.seq)


def test_where_it_goes_well_elsewhere_and_goes_wrong_here_again_nothing_was_kept(tmp_path: Path) -> None:
    case = case_of(tmp_path, changed("alone", ("return weights", "if x.shape[-2] == 5: q @ k\n        return weights")))

    assert case.there is None
    assert not case.is_kept


def test_what_a_newly_built_module_takes_was_kept_by_the_old_one(tmp_path: Path) -> None:
    kept = (
        "if mask is not None:\n",
        "if mask is not None:\n            self.kept = mask = getattr(self, 'kept', mask)\n",
    )
    session = opened(tmp_path, changed("fused", kept))
    with pytest.raises(Raised) as caught:
        use(session, SEVERAL, ((3, 5), (2, 9)), masked=True, slopes=False)
    case = investigate(scene_of(caught.value, session, SEVERAL, session.memory["config"]), session, SEVERAL)

    assert case.there is None
    assert case.is_kept


def test_another_exception_elsewhere_says_nothing_about_this_one(tmp_path: Path) -> None:
    other = "if embed != 24: raise ValueError('no')\n        return self.output(merged[..., :6])"
    found = noted(tmp_path, changed("fused", ("return self.output(merged)", other)))

    assert found.ids == ["full-linear-fed-head"]
    assert "is given 6" in found.findings[0].explanation


def test_an_investigation_leaves_no_trace(tmp_path: Path) -> None:
    source = changed("fused", ("return self.output(merged)", "return self.output(merged)[..., :-1]"))
    session = opened(tmp_path, source)
    notebook = Notebook()
    with pytest.raises(Fault) as caught:
        use(session, SEVERAL, ((3, 5),), masked=False, slopes=False)
    known, asked = {**session.memory}, len(session.record.calls)
    notebook.note("test_it.py::test_it", caught.value, session, SEVERAL)

    assert [finding.id for finding in notebook.findings()] == ["shape-error"]
    assert session.memory["config"] == known["config"] == {"embed_dim": 24, "num_heads": 4}
    assert session.memory["manner"] == known["manner"]
    assert len(session.record.calls) == asked


def test_the_same_is_not_done_at_other_sizes_without_end(tmp_path: Path) -> None:
    source = changed("alone", ("q, k, v =", "calls.append(tuple(x.shape))\n        x @ x\n        q, k, v ="))
    session = opened(tmp_path, f"calls = __import__('builtins').seen = []\n{source}")
    notebook = Notebook()
    with pytest.raises(Fault) as caught:
        use(session, SINGLE, (), masked=False, slopes=False)
    import builtins

    calls: list[tuple[int, ...]] = builtins.seen  # type: ignore[attr-defined]
    before = len(calls)
    for _ in range(INVESTIGATIONS + 3):
        notebook.note("test_it.py::test_it", caught.value, session, SINGLE)

    assert len(calls) - before == INVESTIGATIONS
    del builtins.seen  # type: ignore[attr-defined]


def test_a_constructor_that_raises_is_built_elsewhere_and_not_called(tmp_path: Path) -> None:
    case = case_of(
        tmp_path,
        changed("alone", ("super().__init__()", "super().__init__()\n        torch.ones(3, 5) @ torch.ones(3, 5)")),
    )

    assert case.here.sizes == CallSizes(embed=24)
    assert case.there is not None
    assert not case.is_kept


def test_a_scene_without_a_call_has_no_sizes() -> None:
    assert Scene(fault=None, sizes=CallSizes()).sizes.named == {}  # type: ignore[arg-type]


def test_what_goes_wrong_now_and_then_was_not_kept(tmp_path: Path) -> None:
    now_and_then = "M.calls = getattr(M, 'calls', 0) + 1\n        M.calls == 4 and q @ k\n        return weights"
    session = opened(tmp_path, changed("alone", ("return weights", now_and_then)))
    with pytest.raises(Raised) as caught:
        use(session, SINGLE, ((3, 5), (3, 5), (3, 5), (3, 5)), masked=False, slopes=False)
    case = investigate(scene_of(caught.value, session, SINGLE, session.memory["config"]), session, SINGLE)

    assert case.there is None
    assert not case.is_kept


def test_code_that_takes_long_elsewhere_is_not_asked_again(tmp_path: Path) -> None:
    """Here the time is used up by turning the clock forward, as the code would by being slow."""
    session = opened(tmp_path, changed("alone", ("q @ k.transpose(-2, -1)", "q @ k")))
    with pytest.raises(Raised) as caught:
        use(session, SINGLE, (), masked=False, slopes=False)
    builds: list[float] = []

    def begin(*, at_most: float = 0.0) -> None:
        builds.append(at_most)
        session._check_deadline = 0.0

    session.begin_check = begin  # type: ignore[method-assign]
    notebook = Notebook()
    for _ in range(3):
        notebook.note("test_it.py::test_it", caught.value, session, SINGLE)

    assert builds == [PATIENCE]
    assert [finding.id for finding in notebook.findings()] == ["keys-not-transposed"]
