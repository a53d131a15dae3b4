"""Dropout, and whatever else is random."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.DROPOUT)

DROPOUT: Final = (
    _entry(
        id="dropout-in-eval",
        title="dropout in eval mode",
        explanation="Something is still dropped in eval mode: two calls with the same input give different outputs.",
        why="Dropout helps while training. A model that is used should give the same answer to the same question, with"
        " all its weights.",
        look="Look at how dropout is called, and how it learns which mode the module is in. The function form does not"
        " know unless it is told.",
        right="nn.Dropout as a layer that the constructor makes; or F.dropout with training=self.training.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="dropout-before-softmax",
        title="dropout before the softmax",
        explanation="Dropout acts on the scores, before the softmax.",
        why="A dropped score is 0, which is an ordinary score: its key still gets weight, and may get more than before."
        " Nothing has been dropped, and the weights are only disturbed.",
        look="Look at the order of two steps: softmax, dropout.",
        right="Dropout acts on the attention weights, after the softmax and before they meet the values.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="dropout-never-on",
        title="dropout without effect",
        explanation="In train mode nothing is dropped.",
        why="The module is trained without the protection against overfitting that was asked for.",
        look="Follow the probability from the constructor to where something is dropped. Does what comes out of it go"
        " on? Does anything switch it off for good?",
        right="In train mode the attention weights pass through dropout with the probability that was asked for, and"
        " the result is what meets the values.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="dropout-keep-for-drop",
        title="dropout with 1 - p",
        explanation="Weights are kept with the probability with which they should be dropped.",
        why="With p = 0.1, nine of ten weights are dropped. Some libraries mean the probability of keeping; in torch"
        " and in the assignment it is that of dropping.",
        look="Look at what is handed to the dropout, or compared with a random number.",
        right="A weight becomes 0 with probability p; the others are divided by 1 - p.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="dropout-not-rescaled",
        title="dropout without rescaling",
        explanation="What is not dropped is passed on as it is, without making up for what is missing.",
        why="In train mode the sums are then smaller than in eval mode, by the share that is dropped on average. The"
        " layers above learn from numbers of one size, and are used with those of another.",
        look="Look at what happens to the weights that are not dropped.",
        right="In train mode, a weight becomes 0 with probability p and is divided by 1 - p otherwise; in eval mode"
        " nothing happens at all.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="dropout-wrong-rate",
        title="dropout with another probability",
        explanation="Weights are dropped with another probability than the one that was asked for: one that is written"
        " down, or the right one twice.",
        why="Who builds the module decides how much is dropped; a value that is tuned has to arrive.",
        look="Follow the probability from the constructor to where something is dropped, and count the places.",
        right="The constructor's argument reaches the one dropout that acts on the attention weights.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="dropout-on-wrong-place",
        title="dropout at another place",
        explanation="Dropout acts on something other than the attention weights: the values, the output or the input.",
        why="Dropping a weight hides a whole token from one query for one step. Dropping single features is another"
        " thing, and the block around this layer does it already.",
        look="Look at which tensor is dropped from, and write down its shape. Which one has an entry for each query and"
        " key?",
        right="Dropout acts on the attention weights, after the softmax and before they meet the values, and on nothing"
        " else.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="not-repeatable",
        title="not repeatable",
        explanation="Two calls with the same input differ in eval mode, even where no dropout was asked for: something"
        " is drawn at random in forward.",
        why="A model that is used should give the same answer to the same question. What is drawn anew in each call"
        " cannot be learned either.",
        look="Look in forward for layers or tensors that are made there, and for anything with rand in its name.",
        right="What is learned is made in the constructor; forward only computes with it. Dropout alone is random, and"
        " only in train mode.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="parameters-made-in-forward",
        title="layers made in forward",
        explanation="Layers or parameters are made in forward, so each call has new ones with new random weights.",
        why="No optimiser ever sees them, and what one call has learned is gone in the next.",
        look="Look in forward for everything that makes a layer or a parameter.",
        right="Layers are made once, in the constructor, and kept as attributes; forward calls them.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="rng-reseeded-in-init",
        title="seed set in the constructor",
        explanation="The constructor sets the seed of torch's random numbers.",
        why="All modules that are built start with the same weights, two layers of one model included, and the random"
        " numbers of the whole program begin anew.",
        look="Look in the constructor, and in what it calls, for the word seed.",
        right="A seed is set once, at the start of a program; a module leaves it alone.",
        told=Told.OBSERVED,
        harmless="Your layers are given other weights before they are checked, so how they began plays no part.",
    ),
    _entry(
        id="rng-reseeded-in-forward",
        title="seed set in forward",
        explanation="forward sets the seed of torch's random numbers.",
        why="Dropout then drops the same weights in every call, so some connections are never trained. All other random"
        " numbers of the program begin anew as well.",
        look="Look in forward, and in what it calls, for the word seed.",
        right="A seed is set once, at the start of a program; a module leaves it alone.",
        told=Told.OBSERVED,
    ),
)
