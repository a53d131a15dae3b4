"""The contract: how the module is built and called. None of this is about numbers but `sequence-first`."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.CONTRACT)

CONTRACT: Final = (
    _entry(
        id="class-renamed",
        title="class has another name",
        explanation="The class is not called as the assignment calls it. It was found under another name.",
        why="Whoever uses your module imports it by name. Here the other name was recognised; elsewhere the import"
        " would fail.",
        look="Compare the name of your class with the one in the assignment, letter by letter.",
        right="The class bears the name that the assignment gives.",
        told=Told.OBSERVED,
        harmless="The class was found all the same, and is graded like any other.",
    ),
    _entry(
        id="argument-renamed",
        title="argument has another name",
        explanation="An argument of the constructor or of forward has another name than in the assignment. It was"
        " recognised by what it is called, or by its place.",
        why="Code that passes arguments by keyword relies on the agreed names.",
        look="Read the signatures of the constructor and of forward beside those in the assignment.",
        right="The arguments are called as in the assignment.",
        told=Told.OBSERVED,
        harmless="Arguments are matched by their meaning, so another name costs nothing.",
    ),
    _entry(
        id="argument-order",
        title="arguments in another order",
        explanation="The arguments come in another order than in the assignment. They were matched by their names.",
        why="Code that passes arguments by position would give each the value of the other: a width for a number of"
        " heads, or a mask for the input.",
        look="Read your signature beside the one in the assignment, from left to right.",
        right="The arguments stand in the order of the assignment.",
        told=Told.OBSERVED,
        harmless="Arguments are matched by their meaning, so another order costs nothing.",
    ),
    _entry(
        id="extra-required-argument",
        title="extra constructor argument",
        explanation="The constructor demands an argument that the assignment does not give.",
        why="The code that builds your module knows the agreed arguments only, and gets an error for every other that"
        " it should have given.",
        look="For each further argument of the constructor, ask whether it follows from the others, whether forward"
        " finds it out anyway, or whether there is a value that suits everybody.",
        right="The arguments of the assignment are enough to build the module; any other has a default value.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="mask-not-accepted",
        title="no mask argument",
        explanation="forward has no parameter for the mask, so nothing can be masked.",
        why="Without a mask, padding takes part in every average, and a decoder reads the very token that it is to"
        " predict.",
        look="Compare the arguments of forward with those in the assignment.",
        right="forward takes the mask as its second argument, which is None unless one is given, and applies it to the"
        " scores before the softmax.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="unbatched-only",
        title="works on one sample only",
        explanation="forward expects a single (seq, embed) matrix. A batch has one more axis in front, and every axis"
        " that is counted from the front then means another one.",
        why="Training runs on batches: many sequences at once are what a data loader delivers, and what makes it fast.",
        look="Take each transpose, each softmax and each size that forward reads off a shape. Which axis does it name"
        " when there is a batch axis in front?",
        right="Axes are counted from the end: the last one holds the features, the one before it the tokens, however"
        " many stand in front.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="sequence-first",
        title="input read as (seq, batch)",
        explanation="The first axis of the input is taken for the tokens and the second for the samples; here it is the"
        " other way round. So samples attend to each other, position by position.",
        why="The tokens of a sequence never meet, and samples that have nothing to do with each other are mixed. All"
        " shapes fit, so nothing raises.",
        look="Find where the sizes of the input are read, or where its axes first change places, and write beside each"
        " axis what it stands for. Some layers of the library expect the tokens first unless they are told otherwise.",
        right="The input is (batch, seq, embed): every sample has scores of its own, seq queries by seq keys.",
        told=Told.PROVEN,
    ),
    _entry(
        id="returns-none",
        title="forward returns nothing",
        explanation="Something is computed, but forward does not return it.",
        why="A function that does not return anything gives None, and None can be neither compared nor trained.",
        look="Look at how forward ends, in every branch it may take.",
        right="forward ends by returning the output, which has the shape of x.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="returns-tuple",
        title="returns more than the output",
        explanation="forward returns several values. The output was picked out of them by its shape.",
        why="The next layer of a model is handed whatever forward returns, and it expects one tensor.",
        look="Look at what forward returns, and compare it with the assignment.",
        right="forward returns the output alone. Attention weights that you would like to look at can be kept in an"
        " attribute.",
        told=Told.OBSERVED,
        harmless="The output is found among the values, wherever it stands.",
    ),
)
