"""The questions an examiner asks and the answers a worker gives. Answers are claims: none has a field for a verdict."""

from __future__ import annotations

import math
from typing import Final

from grader.errors import WireError
from grader.wire.values import FRAME_CAP, Array, Hollow, Part, Value, check_shape

LEAVES_CAP: Final = 4000
PATH_CAP: Final = 400
STEPS_CAP: Final = 400
OPERATORS_CAP: Final = 200
STEP_OPERATORS_CAP: Final = 64
STEP_TENSORS_CAP: Final = 8
STEP_ARGUMENTS_CAP: Final = 8
ARGUMENT_CAP: Final = 40
"""The length of an argument's name, and of an argument that is a text or a tuple."""

TRACED_TENSORS_CAP: Final = 1600
COUNT_CAP: Final = 1 << 53
"""The most that anything in a trace is counted to; a float holds it exactly."""

NAME_CAP: Final = 200


# -- what the examiner asks --------------------------------------------------------------------------------------------


class Question(Part, frozen=True):
    """Base of requests. `seconds` is the soft budget: past it the answering side gives up by itself if it still can."""


class Execute(Question, frozen=True):
    """Run all code cells of the notebook `file`, each for `cell_seconds` at most. What fails does not stop the rest.

    Where that has been done already, the answer is what it was then.
    """

    file: str
    seed: int
    cell_seconds: float
    seconds: float


class Open(Question, frozen=True):
    """Load the submission and find `target` in `file`. With `definitions_only` its top-level code is not run.

    `supply` are import statements that the submission forgot; what they bind is there unless the code binds it itself.
    """

    file: str
    target: str
    definitions_only: bool
    seed: int
    seconds: float
    supply: tuple[str, ...] = ()


class Build(Question, frozen=True):
    """Call the target with these arguments; the result is a module with a number.

    With a `dtype`, it is then converted, unregistered tensors too, switched to eval mode, and given these values.
    """

    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    dtype: str | None
    values: dict[str, Array]
    seconds: float


class Survey(Question, frozen=True):
    """List the module's learnable tensors again (lazy ones get their shape at the first call)."""

    module: int
    seconds: float


class Load(Question, frozen=True):
    """Set the named learnable tensors of a module to these values."""

    module: int
    values: dict[str, Array]
    seconds: float


class Switch(Question, frozen=True):
    """`train()` or `eval()`."""

    module: int
    training: bool
    seconds: float


class Convert(Question, frozen=True):
    """`module.to(dtype or device)`. With `reach`, learnable tensors that are not registered are converted too."""

    module: int
    dtype: str | None
    device: str | None
    reach: bool
    seconds: float


class Call(Question, frozen=True):
    """Call the module. `echo` asks for the tensor arguments back as they are afterwards."""

    module: int
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    echo: bool
    seconds: float


class Differentiate(Question, frozen=True):
    """Call the module and backpropagate: for each i, the gradient of `sum(cotangents[i] * output)`.

    `pick` leads from the returned value to the output tensor: indices into tuples, keys into dicts. With `forgiving`,
    values that were overwritten in place are kept for the backward pass, which would otherwise refuse.
    """

    module: int
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    pick: tuple[int | str, ...]
    cotangents: Array
    forgiving: bool
    seconds: float


class Trace(Question, frozen=True):
    """Call the module, and tell which torch functions were called meanwhile instead of what it returned."""

    module: int
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    seconds: float


Request = Execute | Open | Build | Survey | Load | Switch | Convert | Call | Differentiate | Trace


# -- what the worker answers -------------------------------------------------------------------------------------------


class Answer(Part, frozen=True):
    """Base of replies. All of them are claims."""


class Parameter(Part, frozen=True):
    """One parameter of a signature. `kind` is `positional`, `keyword`, `either`, `args` or `kwargs`."""

    name: str
    kind: str
    required: bool


class Leaf(Part, frozen=True):
    """One learnable tensor. `path` names it; `shape` is None while a lazy one has none."""

    path: str
    shape: tuple[int, ...] | None
    dtype: str
    registered: bool
    trainable: bool


class Opened(Answer, frozen=True):
    """The submission is loaded. Signatures leave out `self`; `output` is the beginning of what it printed."""

    construct: tuple[Parameter, ...]
    call: tuple[Parameter, ...]
    is_module: bool
    output: str


class CellReport(Part, frozen=True):
    """A code cell that did not run to its end. `outcome` is `raised`, `interrupted`, `killed` or `not-run`."""

    cell: int
    outcome: str
    type: str
    message: str
    frames: tuple[Frame, ...]


class Executed(Answer, frozen=True):
    """The notebook was run. Unless `alive`, its process ended on the way and nothing of it is left."""

    cells: tuple[CellReport, ...]
    alive: bool
    output: str


class Built(Answer, frozen=True):
    """The module's number and its learnable tensors."""

    module: int
    leaves: tuple[Leaf, ...]


class Returned(Answer, frozen=True):
    """What a call returned, and the tensor arguments afterwards if they were asked for."""

    value: Value
    echo: tuple[Value, ...]


class Slopes(Answer, frozen=True):
    """Gradients by leaf path, one along the first axis for each cotangent. `untouched` lists leaves without any."""

    output: Value
    gradients: dict[str, Array]
    untouched: tuple[str, ...]


class Done(Answer, frozen=True):
    """It was carried out."""


class Frame(Part, frozen=True):
    """One line of a student's traceback. In a notebook, `line` counts within the code cell with the number `cell`."""

    file: str
    line: int
    function: str
    source: str
    cell: int | None = None


class Raised(Answer, frozen=True):
    """The submission's code raised. `frames` are its own lines only, outermost first.

    `stage` is `load`, `find`, `build` or `call`; `overtime` says that the soft budget ended it.
    """

    stage: str
    type: str
    message: str
    frames: tuple[Frame, ...]
    overtime: bool
    output: str


Plain = None | bool | int | float | str | tuple[int, ...]
"""An argument that is no tensor."""


class Step(Part, frozen=True):
    """One call of a torch function, as the submission's code makes it.

    `function` is a dotted name, or `aten::bmm` for an operator that no function stands for. `takes` and `gives` are the
    tensors among its arguments and in its result, by their numbers in the trace; one that is written to keeps its own.
    `arguments` are the plain others by name or by position, `operators` what the step came to, each once, `flops` the
    floating point operations of that. `frame` is the submission's innermost line.
    """

    function: str
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    arguments: dict[str, Plain]
    operators: tuple[str, ...]
    flops: int
    frame: Frame | None


class Traced(Answer, frozen=True):
    """A call was made, in these steps.

    `tensors` are all that the steps speak of, each once; `returned` are the numbers of those in what the call returned.
    `operators` and `flops` count all, also where the steps were `cut`. `largest` is the number of elements of the
    largest tensor that an operator made.
    """

    tensors: tuple[Hollow, ...]
    steps: tuple[Step, ...]
    returned: tuple[int, ...]
    operators: dict[str, int]
    flops: int
    largest: int
    cut: bool


Reply = Executed | Opened | Built | Returned | Slopes | Done | Traced | Raised


def check_trace(traced: Traced) -> None:
    """Raise `WireError` unless a trace is as short as an answering side of ours would make it, and hangs together."""
    if len(traced.steps) > STEPS_CAP or len(traced.operators) > OPERATORS_CAP:
        raise WireError("a trace has too many steps or operators")
    if len(traced.tensors) > TRACED_TENSORS_CAP:
        raise WireError("a trace has too many tensors")
    names = [*traced.operators, *(name for step in traced.steps for name in (step.function, *step.operators))]
    if any(len(name) > NAME_CAP for name in names):
        raise WireError("a trace has names that are too long")
    counts = (traced.flops, traced.largest, *(step.flops for step in traced.steps))
    if any(not 0 <= count <= COUNT_CAP for count in counts):
        raise WireError("a trace has counts that are none")
    if any(not 1 <= count <= COUNT_CAP for count in traced.operators.values()):
        raise WireError("a trace has counts of operators that are none")
    for step in traced.steps:
        if len(step.operators) > STEP_OPERATORS_CAP or len(step.arguments) > STEP_ARGUMENTS_CAP:
            raise WireError("a step of a trace has too many operators or arguments")
        texts = (*step.arguments, *(value for value in step.arguments.values() if isinstance(value, str | tuple)))
        if any(len(text) > ARGUMENT_CAP for text in texts):
            raise WireError("a step of a trace has arguments that are too long")
    for numbers in (traced.returned, *(numbers for step in traced.steps for numbers in (step.takes, step.gives))):
        if len(numbers) > STEP_TENSORS_CAP or any(not 0 <= number < len(traced.tensors) for number in numbers):
            raise WireError("a trace speaks of tensors that it does not list, or of too many at once")
    for tensor in traced.tensors:
        check_shape(tensor.shape)


def check_leaves(leaves: tuple[Leaf, ...]) -> None:
    """Raise `WireError` unless values for all these leaves together could cross in one message."""
    if len(leaves) > LEAVES_CAP or any(len(leaf.path) > PATH_CAP for leaf in leaves):
        raise WireError("a module has too many leaves, or too long names for them")
    shapes = [leaf.shape for leaf in leaves if leaf.shape is not None]
    for shape in shapes:
        check_shape(shape)
    if sum(map(math.prod, shapes)) * 8 > FRAME_CAP:
        raise WireError("the leaves of a module are too large together")
