"""What an exception of student code means, in the terms of the assignment.

Sizes that do not fit are read elsewhere (`mismatches`); here is the rest. The texts are claims of the student's
process. They are cleaned and short before they come here; patterns are bounded, and look for fragments that hold
across versions of torch and Python.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from typing import Final

from grader.checks.faults import Raised
from grader.examiner.imports import is_import, undefined
from grader.examiner.mismatch import Explained, line_of
from grader.examiner.mismatches import explain_mismatch
from grader.examiner.scenes import Case, Scene
from grader.examiner.sizes import HEAD, Reader

NO_NETWORK: Final = "no network while grading"
NO_DRIVE: Final = "only there on its own platform"
NO_INPUT: Final = "nobody is there to type"
"""Fragments of what code is told that asks for something from outside."""

Rule = Callable[[Scene, re.Match[str]], Explained | None]
"""What an exception means whose text has a fragment; None when it is none of that kind after all."""

_FLOATS: Final = frozenset({"float", "double", "half", "bfloat16"})
_CONTAINERS: Final = {
    "tuple": "A tuple is used like a tensor; for example, a module returned the output and the weights.",
    "list": "A list is used like a tensor; for example, the outputs of the heads were not joined yet.",
}


def explain(case: Case) -> Explained | None:
    """What the exception of a case means; None when nothing is known about it."""
    raised = case.here.fault
    if not isinstance(raised, Raised):
        return None
    text = f"{raised.type}: {raised.text}"
    for pattern, rule in _COMPILED:
        found = pattern.search(text)
        explained = rule(case.here, found) if found is not None else None
        if explained is not None:
            return explained
    return explain_mismatch(case)


# -- rules -------------------------------------------------------------------------------------------------------------


def _means(id_: str | None, sentence: str = "") -> Rule:
    """Always the same; parts of the text that were found stand in the sentence as {0}, {1}."""
    return lambda scene, found: Explained(id_, sentence.format(*found.groups()))


def _in_call(id_: str, sentence: str = "") -> Rule:
    """The same, for code that runs when the module is called."""
    return lambda scene, found: Explained(id_, sentence.format(*found.groups())) if _stage(scene) == "call" else None


def _undefined(scene: Scene, found: re.Match[str]) -> Explained | None:
    raised = scene.fault
    assert isinstance(raised, Raised)
    names = undefined(raised.type, raised.text)
    if not names:
        return None
    if any(map(is_import, names)):
        name = next(filter(is_import, names))
        return Explained("import-missing", f"{name} is used, but no import binds that name in what was handed in.")
    return Explained("name-undefined", f"Nothing has been assigned to {names[0]} where it is used.")


def _no_forward(scene: Scene, found: re.Match[str]) -> Explained | None:
    kind = found[1]
    if kind in ("ModuleList", "ModuleDict", "ParameterList"):
        return Explained(None, f"A {kind} is called like a layer. It only holds layers; each of them has to be called.")
    return Explained(
        "not-implemented",
        f"{kind} has no method called forward. It may be misspelt, or stand within another method by its indentation.",
    )


def _float_size(scene: Scene, found: re.Match[str]) -> Explained | None:
    sizes = scene.sizes
    if sizes.embed is None or sizes.head is None or sizes.heads is None:
        return Explained("float-head-dim")
    width = sizes.embed / sizes.heads
    return Explained(
        "float-head-dim",
        f"A size must be a whole number. embed_dim / num_heads is the float {width!r}, {HEAD} is {sizes.head}.",
    )


def _overwritten(scene: Scene, found: re.Match[str]) -> Explained | None:
    if "softmax" in found[1].lower():
        return Explained("inplace-after-softmax")
    return Explained(None, "A value that the gradient needs is overwritten in place after it was computed.")


def _about_masks(sentence: str) -> Rule:
    def rule(scene: Scene, found: re.Match[str]) -> Explained | None:
        said = sentence.format(*found.groups())
        return Explained("mask-dtype-rejected" if scene.mask is not None else None, said)

    return rule


def _precisions(scene: Scene, found: re.Match[str]) -> Explained | None:
    one, other = (name.rpartition("::")[2].lower() for name in found.groups() if name)
    if {one, other} <= _FLOATS:
        return Explained(
            "hard-coded-dtype",
            f"Numbers of type {one} meet numbers of type {other}: some tensor has a fixed precision, not that of x.",
        )
    return Explained(None, f"Numbers of type {one} meet numbers of type {other}; both must be of the same type.")


def _no_kernel(scene: Scene, found: re.Match[str]) -> Explained | None:
    if found[1].lower() in _FLOATS:
        return Explained("hard-coded-dtype", f"Some tensor is of type {found[1]}, whatever the precision of x is.")
    return Explained(None, f"An operation for floating-point numbers is given numbers of type {found[1]}.")


def _detached(scene: Scene, found: re.Match[str]) -> Explained | None:
    if not scene.weights:
        return None
    return Explained("gradients-detached", "The output is cut off from all parameters: no gradient reaches any.")


def _none(scene: Scene, found: re.Match[str]) -> Explained | None:
    if scene.mask is None and re.search(r"\bmask\b", line_of(scene)):
        return Explained(None, "forward is also called without a mask. mask is None then, and this line uses it.")
    return Explained(
        None, "Something on this line is None: for example what a method without a return statement gives."
    )


def _container(scene: Scene, found: re.Match[str]) -> Explained | None:
    return Explained(None, _CONTAINERS[next(filter(None, found.groups()))])


def _not_callable(scene: Scene, found: re.Match[str]) -> Explained | None:
    line = line_of(scene)
    plain = re.findall(r"(?<![\w.])([A-Za-z_]\w{0,60})\(", line)
    taken = [name for name in plain if hasattr(builtins, name)]
    others = [name for name in plain if name not in taken and name not in ("if", "in", "and", "or", "not", "return")]
    only_one = len(set(taken)) == 1 and not others and not re.search(r"\.\w{1,60}\(|[\])]\(", line)
    if only_one:
        name = taken[0]
        return Explained("shadowed-builtin", f"{name} is not Python's own {name} here, but a value of type {found[1]}.")
    if found[1] == "torch.Size":
        return Explained(None, "shape is no method: an axis is chosen with brackets, or with size().")
    return Explained(None, f"A value of type {found[1]} is called like a function; perhaps an operator is missing.")


def _missing(scene: Scene, found: re.Match[str]) -> Explained | None:
    if scene.fault.where is None:
        return Explained(None, f"It is called as the contract says. {found[2]} needs a default value.")
    return Explained(None, f"{found[1]} is called without {found[2]}.")


def _attribute(scene: Scene, found: re.Match[str]) -> Explained | None:
    owner, name = found[1], found[2]
    if owner in _CONTAINERS:
        return Explained(None, _CONTAINERS[owner])
    if owner.rpartition(".")[2] in ("Tensor", "Parameter", "int", "float", "str", "dict", "Size"):
        return Explained(None, f"A value of type {owner} has nothing called {name}.")
    return Explained(None, f"{owner} has nothing called {name}: it was never assigned, or under another name.")


def _unpacked(scene: Scene, found: re.Match[str]) -> Explained | None:
    if "shape" not in line_of(scene) and "size()" not in line_of(scene):
        return None
    return Explained("shape-error", f"A shape is taken apart into {found[1]} sizes, but the tensor has more axes.")


def _out_of_bounds(scene: Scene, found: re.Match[str]) -> Explained | None:
    size = Reader(scene.sizes).say(int(found[3]))
    return Explained("shape-error", f"Position {found[1]} is asked for along axis {found[2]}, which has {size}.")


def _stage(scene: Scene) -> str:
    return scene.fault.stage if isinstance(scene.fault, Raised) else ""


# -- which fragment means what -----------------------------------------------------------------------------------------

_NAME: Final = r"([\w.]{1,60})"
_TYPE: Final = r"([\w:]{1,30})"

RULES: Final[tuple[tuple[str, Rule], ...]] = (
    # -- the file
    (r"^(?:SyntaxError|IndentationError|TabError)", _means("syntax-error")),
    (NO_NETWORK, _means("network-requested")),
    (NO_DRIVE, _means("network-requested")),
    (NO_INPUT, _means("input-requested")),
    (r"^(?:NameError|NotFound)", _undefined),
    (
        rf"^UnboundLocalError: .{{0,40}}'{_NAME}'",
        _means("name-undefined", "{0} has no value yet where it is used: what assigns to it has not run."),
    ),
    (
        rf"^ModuleNotFoundError: No module named '{_NAME}'",
        _means(None, "{0} is not installed where grading happens; the exercise needs nothing but torch."),
    ),
    # -- the class
    (rf'Module \[{_NAME}\] is missing the required "forward"', _no_forward),
    (
        r"before Module\.__init__\(\)|has no attribute '_(?:modules|parameters|buffers|\w{1,20}_hooks)'",
        _means("super-init-missing"),
    ),
    (r"'__init__' of 'super' object", _means("super-init-missing", "super is written without its parentheses.")),
    # -- device and dtype
    (
        r"not compiled with CUDA|no NVIDIA driver|No CUDA GPUs|on a CUDA device|from the .(?:CUDA|MPS). backend",
        _means("hard-coded-device", "The code asks for a GPU whatever device x is on, and there is none here."),
    ),
    (r"expected device|on the same device|different devices", _means("hard-coded-device")),
    (rf"same dtype, but got:? {_TYPE} (?:and|!=) {_TYPE}", _precisions),
    (rf"expected scalar type {_TYPE} but found {_TYPE}", _precisions),
    (rf"of scalar type {_TYPE} but got scalar type {_TYPE}", _precisions),
    (
        r"to type (?:c10|at)::Half without overflow",
        _means(
            "hard-coded-dtype",
            "A number, perhaps the one that stands for masked scores, is too large for half precision.",
        ),
    ),
    # -- masks
    (
        r"only supports boolean masks, but got mask with dtype ([\w ]{1,20})",
        _about_masks("masked_fill takes booleans only, and is given a mask of type {0}."),
    ),
    (
        r"\(operator\.invert\) is only implemented|bitwise_not",
        _about_masks("~ turns booleans and whole numbers round, and raises for a mask of floating-point numbers."),
    ),
    (
        r"`-` operator,.{0,20} bool tensor is not supported",
        _about_masks("A mask of booleans is subtracted or negated, which works for numbers only."),
    ),
    (
        r"expected condition to be a boolean tensor|attn_mask dtype|expected BoolTensor",
        _about_masks("The mask is used where only booleans are taken."),
    ),
    (r"not implemented for '(\w{1,20})'", _no_kernel),
    (r"^NotImplementedError", _means("not-implemented")),
    # -- numbers that are no tensors, and tensors that are no numbers
    (
        r"got float|element of type float|'float' object cannot be interpreted|tuple of ints, not float"
        r"|^TypeError: new\(\) .{0,60} got \([^)]{0,40}float",
        _float_size,
    ),
    (
        r"^TypeError: sqrt\(\).{0,60} must be Tensor, not (int|float)",
        _means("sqrt-of-int", "torch.sqrt is given a plain {0}, not a tensor."),
    ),
    (
        rf"^TypeError: {_NAME}\(\).{{0,60}} must be Tensor, not (int|float)",
        _means(None, "torch's {0} takes tensors, and is given a plain {1}."),
    ),
    (
        r"one element tensors can be converted|only integer tensors of a single element",
        _means(None, "A function for plain numbers is given a tensor of several."),
    ),
    (
        r"Boolean value of Tensor",
        _means(
            None,
            "A tensor of several numbers is neither true nor false. Whether there is a mask has to be asked otherwise.",
        ),
    ),
    (r"Can't call numpy\(\)|not numpy\.ndarray|'numpy\.ndarray'", _in_call("numpy-in-forward")),
    # -- gradients
    (r"modified by an inplace operation.{0,200} of (\w{1,60}),", _overwritten),
    (
        r"leaf Variable that requires grad.{0,60}in-place",
        _means(None, "A parameter is overwritten in place, and its gradient would be lost."),
    ),
    (
        r"is a view and is being modified inplace",
        _means(None, "A part of a tensor is overwritten in place after it was split, and the gradient needs it."),
    ),
    (r"does not require grad and does not have a grad_fn", _detached),
    # -- axes
    (
        r"t\(\) expects a tensor with <= 2 dimensions, but self is ([0-9])D",
        _means("transpose-T-on-3d", "t() exchanges the axes of a matrix; here it is asked of a tensor with {0} axes."),
    ),
    (r"tensor\.[TH] is only supported|of dimension other than 2", _means("transpose-T-on-3d")),
    (r"too many values to unpack \(expected ([0-9])\)", _unpacked),
    (
        r"too many indices for tensor of dimension ([0-9])",
        _means("shape-error", "A tensor with {0} axes is indexed as if it had more."),
    ),
    (r"index (-?[0-9]{1,9}) is out of bounds for dimension ([0-9]) with size ([0-9]{1,9})", _out_of_bounds),
    (r"view size is not compatible", _means("view-noncontiguous")),
    # -- values of another kind
    (r"'NoneType'|not NoneType|got \(NoneType|masked_fill\(\) received .{0,60} got \(bool", _none),
    (r"(?:must be Tensor, not|but got) (tuple|list)|: '(tuple|list)' and|and '(tuple|list)'", _container),
    (rf"'{_NAME}' object is not callable", _not_callable),
    (rf"'{_NAME}' object has no attribute '(\w{{1,60}})'", _attribute),
    (
        rf"^AttributeError: module '{_NAME}' has no attribute '(\w{{1,60}})'",
        _means(None, "There is nothing called {1} in {0}."),
    ),
    (
        r"^RecursionError",
        _means(
            None,
            "Something calls itself without end: forward, or a constructor that builds one more of its own.",
        ),
    ),
    (r"non-empty (?:list of Tensors|TensorList)", _means(None, "The list of tensors to be joined is empty.")),
    # -- arguments
    (
        rf"{_NAME}\(\) missing [0-9]{{1,2}} required (?:positional|keyword-only) arguments?: ([\w'\", ]{{1,80}})",
        _missing,
    ),
    (
        rf"{_NAME}\(\) takes (?:from [0-9] to )?([0-9]{{1,2}}) positional arguments? but ([0-9]{{1,2}}) were given",
        _means(None, "{0} takes {1} arguments and is given {2}; for a method, self is one of them."),
    ),
    (
        rf"{_NAME}\(\) got an unexpected keyword argument '(\w{{1,60}})'",
        _means(None, "{0} has no argument called {1}."),
    ),
)
"""The first fragment that is found, and whose rule knows what it means, counts."""

_COMPILED: Final = tuple((re.compile(fragment), rule) for fragment, rule in RULES)
