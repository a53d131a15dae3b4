"""Texts of other versions of torch and Python, and texts that nobody expects."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader import wire
from grader.checks.faults import Raised
from grader.examiner.clashes import LONGEST, Clash, Product, Reshape, clash
from grader.examiner.exceptions import explain
from grader.examiner.mismatch import Explained
from grader.examiner.scenes import Case, Scene
from grader.examiner.sizes import CallSizes

SEVERAL_HEADS = CallSizes(embed=24, heads=4, batch=2, seq=5)


def explained(text: str, type_: str = "RuntimeError", source: str = "", **known: object) -> Explained | None:
    """What an exception with this text means, when the module has four heads of six features."""
    frames = (wire.Frame("a.py", 3, "forward", source),)
    told = wire.Raised(stage="call", type=type_, message=text, frames=frames, overtime=False, output="")
    return explain(Case(here=Scene(fault=Raised(told), sizes=SEVERAL_HEADS, **known)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "id_", "phrase"),
    [
        (
            "size mismatch, m1: [10 x 96], m2: [96 x 24] at /pytorch/aten/src/TH/generic/THTensorMath.cpp:41",
            "heads-full-width",
            "concatenate to 96",
        ),
        (
            "size mismatch, m1: [10 x 96], m2: [24 x 24] at ../aten/src/TH/generic/THTensorMath.cpp:197",
            "heads-full-width",
            "concatenate to 96",
        ),
        ("addmm: mat1 and mat2 shapes cannot be multiplied (10x24 and 6x6)", "head-linear-fed-full-width", "all 24"),
        (
            "linear(): input and weight.T shapes cannot be multiplied (10x24 and 6x6)",
            "head-linear-fed-full-width",
            "all 24",
        ),
        ("mat1 and mat2 shapes cannot be multiplied (10x6 and 24x24)", "full-linear-fed-head", "is given 6"),
        ("a and b must have same reduction dim, but got [10, 24] X [6, 6].", "head-linear-fed-full-width", "all 24"),
        ("mat1 dim 1 must match mat2 dim 0", "shape-error", ""),
        (
            "invalid argument 6: wrong matrix size at /pytorch/aten/src/TH/generic/THTensorMath.cpp:2312",
            "shape-error",
            "",
        ),
        ("batch1 and batch2 must have same number of batches, sizes mismatch", "shape-error", ""),
        (
            "Expected tensor to have size 6 at dimension 1, but got size 5 for argument #2 'batch2'"
            " (while checking arguments for bmm)",
            "keys-not-transposed",
            "6 (embed_dim // num_heads)",
        ),
        (
            "Expected batch2_sizes[0] == bs && batch2_sizes[1] == contraction_size to be true, but got false.",
            "shape-error",
            "",
        ),
        (
            "Expected size for first two dimensions of batch2 tensor to be: [8, 6] but got: [8, 5].",
            "keys-not-transposed",
            "5 (seq)",
        ),
        ("shape '[2, 5, 7]' is invalid for input with 240 elements", "shape-error", "[2 (batch), 5 (seq), 7]"),
        (
            "Sizes of tensors must match except in dimension 1. Got 24 and 6 in dimension 2 (The offending index is 1)",
            "shape-error",
            "6 (embed_dim // num_heads)",
        ),
        ("number of dims don't match in permute", "shape-error", ""),
        ("dimension mismatch for operand 0: equation 4 tensor 3", "shape-error", "3 axes"),
        ("value cannot be converted to type at::Half without overflow: -1e+09", "hard-coded-dtype", "half precision"),
        ("value cannot be converted to type c10::Half without overflow", "hard-coded-dtype", "half precision"),
        (
            "Expected object of scalar type Float but got scalar type Double for argument #2 'mat2' in call to _th_mm",
            "hard-coded-dtype",
            "float meet numbers of type double",
        ),
        ("expected m1 and m2 to have the same dtype, but got: float != c10::Half", "hard-coded-dtype", "half"),
        (
            "one of the variables needed for gradient computation has been modified by an inplace"
            " operation: [torch.FloatTensor [3, 4]], which is output 0 of SoftmaxBackward0, is at"
            " version 1; expected version 0 instead.",
            "inplace-after-softmax",
            "",
        ),
        (
            "view size is not compatible with input tensor's size and stride (at least one dimension"
            " spans across two contiguous subspaces). Call .contiguous() before .view().",
            "view-noncontiguous",
            "",
        ),
        (
            "Can't call numpy() on Variable that requires grad. Use var.detach().numpy() instead.",
            "numpy-in-forward",
            "",
        ),
        ("t() expects a tensor with <= 2 dimensions, but self is 3D", "transpose-T-on-3d", "3 axes"),
        ("tensor.T is only supported on matrices (2-D tensors). Got 3-D tensor.", "transpose-T-on-3d", ""),
        (
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated",
            "transpose-T-on-3d",
            "",
        ),
        (
            "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
            "hard-coded-device",
            "",
        ),
        ("Found no NVIDIA driver on your system.", "hard-coded-device", "GPU"),
    ],
)
def test_texts_of_other_versions_are_understood(text: str, id_: str, phrase: str) -> None:
    found = explained(text)

    assert found is not None
    assert found.id == id_
    assert phrase in found.sentence


@pytest.mark.parametrize(
    ("type_", "text", "id_"),
    [
        ("AttributeError", "cannot assign module before Module.__init__() call", "super-init-missing"),
        ("AttributeError", "'M' object has no attribute '_modules'", "super-init-missing"),
        ("AttributeError", "'M' object has no attribute '_backward_hooks'", "super-init-missing"),
        ("TypeError", "sqrt(): argument 'input' (position 1) must be Tensor, not int", "sqrt-of-int"),
        (
            "TypeError",
            "empty() received an invalid combination of arguments - got (tuple, dtype=NoneType), but"
            " expected: must be tuple of ints, not float",
            "float-head-dim",
        ),
        (
            "TypeError",
            "new() received an invalid combination of arguments - got (float, int), but expected one of",
            "float-head-dim",
        ),
        ("UnboundLocalError", "local variable 'scores' referenced before assignment", "name-undefined"),
        ("TabError", "inconsistent use of tabs and spaces in indentation", "syntax-error"),
        ("OSError", "there is no network while grading: nothing can be downloaded.", "network-requested"),
        (
            "URLError",
            "<urlopen error there is no network while grading: nothing can be downloaded>",
            "network-requested",
        ),
        ("ModuleNotFoundError", "google.colab is only there on its own platform: no drive", "network-requested"),
        ("EOFError", "input() cannot be answered: nobody is there to type while grading.", "input-requested"),
    ],
)
def test_exceptions_of_python_are_understood(type_: str, text: str, id_: str) -> None:
    found = explained(text, type_)

    assert found is not None
    assert found.id == id_


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("ValueError", "embed_dim (24) must be divisible by num_heads (5)"),
        ("ValueError", "not enough values to unpack (expected 3, got 2)"),
        ("AssertionError", ""),
        ("KeyError", "'query'"),
        ("Exception", "24 6 5 2"),
        ("", ""),
    ],
)
def test_what_says_nothing_about_sizes_is_not_explained(type_: str, text: str) -> None:
    assert explained(text, type_) is None


# -- texts that nobody expects -----------------------------------------------------------------------------------------

FRAGMENTS = (
    *("mat1 and mat2 shapes cannot be multiplied (", "(10x24 and 6x6)", "size of tensor a (", ") must match the size"),
    *(" of tensor b (", "at non-singleton dimension 1", "shape '[", "]' is invalid for input of size ", "[2, 5, 24]"),
    *(
        "Target sizes: [",
        "]. Tensor sizes: [",
        "batch2 tensor to be: [",
        "] but got: [",
        "'NoneType'",
        "{0}",
        "{found}",
    ),
    *("output 0 of Softmax,", "modified by an inplace operation", "object is not callable", "numpy.ndarray", "\u202e"),
    *(
        "1, " * 9,
        "9" * 30,
        "-1, -1",
        "\u0664\u0662",
        "must be Tensor, not int",
        "has no attribute '",
        "'",
        "(",
        ")",
        "\x00",
    ),
)
NUMBER = st.integers(-(10**12), 10**12).map(str)
PIECES = st.lists(st.sampled_from(FRAGMENTS) | NUMBER | st.text(max_size=12), max_size=30).map("".join)
TYPES = st.sampled_from(("RuntimeError", "TypeError", "AttributeError", "NameError", "ValueError", "{", "x" * 500))


@given(text=PIECES, type_=TYPES, source=PIECES)
@settings(max_examples=300)
def test_any_text_at_any_line_is_explained_in_few_plain_words_or_not_at_all(text: str, type_: str, source: str) -> None:
    found = explained(text, type_, source)

    assert found is None or len(found.sentence) < 1500
    assert found is None or found.sentence.isprintable()


@pytest.mark.parametrize("piece", [*FRAGMENTS, "[" + "1, " * 100, "(1x" * 50, "a" * 100 + "()", "= x(x", ".T"])
def test_a_very_long_text_costs_next_to_nothing(piece: str) -> None:
    many = (piece * (1_000_000 // len(piece)))[:1_000_000]
    started = time.process_time()
    explained(many, many, many)
    clash(many)

    assert time.process_time() - started < 1.0


def test_only_the_beginning_of_a_text_is_read() -> None:
    product = "multiplied (10x24 and 6x6)"

    assert clash(" " * (LONGEST - len(product)) + product) == Product(10, 24, 6, 6)
    assert clash(" " * LONGEST + product) is None


@pytest.mark.parametrize(
    "text",
    [
        "multiplied (1000000000000x24 and 6x6)",
        "multiplied (-1x24 and 6x6)",
        "multiplied (\u0661\u0660x24 and 6x6)",
        "shape '[2, 5, 1234567890]' is invalid for input of size 240",
        "shape '[]' is invalid for input of size 240",
        "shape '[2, 5,, 24]' is invalid for input of size 240",
        "shape '[1, 1, 1, 1, 1, 1, 1, 1, 1]' is invalid for input of size 240",
    ],
)
def test_what_is_no_size_is_not_read_as_one(text: str) -> None:
    assert clash(text) is None


def test_a_size_to_be_found_out_is_read() -> None:
    assert clash("shape '[2, -1, 24]' is invalid for input of size 240") == Reshape((2, -1, 24), 240)


def test_what_a_student_writes_into_a_text_is_no_template() -> None:
    found = explained("'{0.__class__}' object is not callable", "TypeError")

    assert found is None or "{0" not in found.sentence


def test_words_that_look_like_a_clash_in_a_students_own_exception_name_sizes_at_most() -> None:
    found = explained(
        "my own check: size of tensor a (24) must match the size of tensor b (6) at non-singleton dimension 7"
    )

    assert found is not None
    assert found.id == "shape-error"
    assert "24 (embed_dim)" in found.sentence
    assert "my own check" not in found.sentence


def test_every_kind_of_clash_tells_its_numbers() -> None:
    kinds: list[Clash] = [Product(10, 24, 6, 6), Reshape((2, 5), 11)]

    assert [kind.numbers for kind in kinds] == [(10, 24, 6, 6), (2, 5, 11)]
