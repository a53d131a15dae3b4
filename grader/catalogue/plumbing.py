"""Running at all, what it costs, and notebooks."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.PLUMBING)

PLUMBING: Final = (
    _entry(
        id="syntax-error",
        title="syntax error",
        explanation="Python cannot read the file, so nothing in it could be run.",
        why="One line that cannot be read hides everything else, however good it is.",
        look="Look at the line that Python names, and at the one before it: a bracket or a quote that was opened there"
        " is often the cause.",
        right="The file runs from top to bottom on a fresh start. Run it once like that before you hand it in.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="import-missing",
        title="missing import",
        explanation="A module is used but never imported. It may work where another cell or file has imported it.",
        why="On a fresh start the first line that uses it raises. A notebook that has been open for long hides that.",
        look="Look at the name in the message, and at the imports at the top of what you handed in.",
        right="Every module that is used is imported in the same file or notebook, before its first use.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="name-undefined",
        title="undefined name",
        explanation="A name is used that nothing has been assigned to.",
        why="Python looks a name up only when the line runs, so a slip of the pen stays hidden until then. A notebook"
        " also remembers names from cells that are long gone.",
        look="Compare the spelling of the name with where it should get its value. What belongs to the module is"
        " reached through self.",
        right="Every name gets its value before it is used, within reach of the line that uses it.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="super-init-missing",
        title="super().__init__() missing",
        explanation="Layers are assigned before nn.Module has been initialised.",
        why="nn.Module notes down every layer that is assigned to it, and can do so only once it has been set up.",
        look="Look at the beginning of your constructor: what has to happen before a layer can be assigned?",
        right="The constructor calls super().__init__() before it assigns anything.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="not-implemented",
        title="not implemented",
        explanation="A part of the exercise still raises NotImplementedError.",
        why="Whatever comes after that part could not be looked at yet.",
        look="Search what you handed in for NotImplementedError, and check that you handed in the version you worked"
        " on.",
        right="The line that raises has given way to your own code.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="sqrt-of-int",
        title="torch.sqrt of a number",
        explanation="torch.sqrt takes tensors, and is given a plain number.",
        why="Functions of torch work on tensors. A width is a whole number of Python's.",
        look="Look at what the root is taken of, and of which kind it is.",
        right="For a plain number there is math.sqrt, or ** 0.5.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="shape-error",
        title="shapes do not fit",
        explanation="Two tensors meet whose shapes do not fit together.",
        why="In a matrix product the last axis of the first factor must be as long as the last but one of the second;"
        " where numbers are added or masked, axes must be equally long, or 1.",
        look="Write the shape of every tensor beside the line that makes it, from x to the line in the message. The"
        " first that surprises you is the one.",
        right="Every axis has a meaning, and those that meet have the same one.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="forbidden-api",
        title="ready-made attention",
        explanation="The library's own attention is called; here the point is to write it out.",
        why="What you write yourself you can change, check and explain. The library's version is for afterwards.",
        look="Read the rules of the assignment again: they name what may not be used.",
        right="Scores, softmax and average are written with products of matrices and torch.softmax.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="python-loop-over-batch",
        title="loop over the samples",
        explanation="The number of operations grows with the batch: Python goes through the samples one by one.",
        why="torch works on all samples at once in about the time of one. A loop makes training many times slower, most"
        " of all on a GPU.",
        look="Find the loop, and the operation within it. What would it do if it were given the whole batch?",
        right="Products of matrices and the softmax act on the last axes, and do the same for every sample in front.",
        told=Told.OBSERVED,
        harmless="The output is the same. Only an assignment that asks for it gives points for speed.",
    ),
    _entry(
        id="python-loop-over-tokens",
        title="loop over the tokens",
        explanation="The number of operations grows with the length of the sequence: Python goes through the tokens one"
        " by one.",
        why="All pairs of queries and keys fit into one product of matrices, which is many times faster. That is a"
        " reason why attention has replaced recurrent networks.",
        look="Find the loop, and what one pass computes for one query. What is it for all queries together?",
        right="Q K^T holds the scores of all queries at once.",
        told=Told.OBSERVED,
        harmless="The output is the same. Only an assignment that asks for it gives points for speed.",
    ),
    _entry(
        id="wasteful-cost",
        title="more work than needed",
        explanation="Far more is computed, or kept in memory, than self-attention needs.",
        why="Time and memory decide how long sequences may be. What is computed twice or kept without need makes them"
        " shorter.",
        look="Look for results that are computed more than once or not used, and for tensors that are larger than the"
        " scores.",
        right="Four projections, one product for the scores and one with the values; the scores are the largest tensor"
        " of a long sequence.",
        told=Told.OBSERVED,
        harmless="The output is the same. Only an assignment that asks for it gives points for speed.",
    ),
    _entry(
        id="input-requested",
        title="asks for input",
        explanation="The code waits for somebody to type. While grading nobody is there, so that raises.",
        why="What needs an answer cannot run by itself, neither here nor on a cluster.",
        look="Look for input and getpass.",
        right="Values that may change are arguments or constants.",
        told=Told.OBSERVED,
        harmless="What can be defined without it is graded.",
    ),
    _entry(
        id="network-requested",
        title="asks for the network",
        explanation="The code wants to download something. While grading there is no network, so that raises.",
        why="What it needs may be gone or changed tomorrow, and the code with it.",
        look="Look for downloads of data or weights, for mounted drives, and for installed packages.",
        right="The exercise needs nothing from outside. Demonstrations that do stand apart from the class, in a cell of"
        " their own.",
        told=Told.OBSERVED,
        harmless="What can be defined without it is graded.",
    ),
    _entry(
        id="notebook-cell-failed",
        title="a cell failed",
        explanation="A cell of the notebook raised an error. The cells after it were run all the same.",
        why="Whoever runs your notebook from top to bottom is stopped there.",
        look="Restart the kernel, run all cells, and look at the first that fails.",
        right="All cells run, one after the other, on a fresh start.",
        told=Told.OBSERVED,
        harmless="What the cells define is graded. Only an assignment that asks for it gives points for a notebook that"
        " runs through.",
    ),
    _entry(
        id="notebook-out-of-order",
        title="cells in another order",
        explanation="A cell uses what only a later one defines, so the notebook does not run from top to bottom.",
        why="It worked for you because the kernel remembers cells in the order you ran them. Nobody else knows that"
        " order.",
        look="Restart the kernel, run all cells, and see which name is missing where.",
        right="Imports first, then definitions, then their use.",
        told=Told.OBSERVED,
        harmless="What the cells define is graded. Only an assignment that asks for it gives points for a notebook that"
        " runs through.",
    ),
    _entry(
        id="notebook-timed-out",
        title="a cell took too long",
        explanation="A cell of the notebook was stopped because it took longer than is allowed.",
        why="Whoever runs your notebook has to wait for it; here every cell has only a few seconds.",
        look="Look for training and for large data in the cell that was stopped, and for a loop that cannot end.",
        right="Demonstrations are small: a few steps on a small tensor show as much.",
        told=Told.OBSERVED,
        harmless="What the cells define is graded. Only an assignment that asks for it gives points for a notebook that"
        " runs through.",
    ),
    _entry(
        id="shadowed-builtin",
        title="a name of Python's was taken",
        explanation="A name that Python itself uses, such as list, sum or max, was given to something else.",
        why="Every later line that means Python's function gets your value instead, and fails with a message that does"
        " not seem to belong there.",
        look="Look for the name in the message on the left of an equals sign, also in cells that have nothing to do"
        " with the class.",
        right="Names of your own that Python does not use: tokens instead of list, total instead of sum.",
        told=Told.OBSERVED,
        harmless="Where it gets in the way, the definitions alone are graded, without it.",
    ),
)
