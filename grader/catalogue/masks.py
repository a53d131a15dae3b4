"""Masks: which query may attend to which key. Nonzero means that it may."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.MASKS)

MASKS: Final = (
    _entry(
        id="mask-ignored",
        title="mask ignored",
        explanation="The mask is accepted, but it has no effect on the output.",
        why="What should be hidden is seen: padding takes part in every average, and a decoder reads the token that it"
        " is to predict. Training then looks good, and generating text fails.",
        look="Follow the mask from the arguments to the softmax, through every function it is handed to. A function"
        " that makes a new tensor changes nothing unless its result is kept.",
        right="The softmax is given the masked scores: minus infinity wherever the mask forbids.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-inverted",
        title="mask inverted",
        explanation="What may be attended to is hidden, and what must be hidden is seen.",
        why="Libraries do not agree about the meaning of a mask, even within torch: True hides for one function and"
        " shows for another. In the assignment nonzero means that a query may attend.",
        look="Take one entry of the mask that is 0, and follow it to the scores: is it hidden, or is it kept?",
        right="Where the mask is 0 the score becomes minus infinity; where it is nonzero the score stays as it is.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-after-softmax",
        title="mask applied after softmax",
        explanation="Weights are set to zero after the softmax, so those that are left do not sum to one.",
        why="The softmax has already shared out weight to the hidden keys, and that is now lost. The fewer keys a query"
        " sees, the smaller its output; and what is hidden still shows in how much is left.",
        look="Look at the order of three steps: scores, mask, softmax.",
        right="Mask the scores with minus infinity, then softmax: hidden keys get exactly 0, the others sum to one."
        " Dividing the masked weights by their sum is right as well.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-fill-zero",
        title="masked scores set to 0",
        explanation="Hidden scores become 0, or next to it, by a fill or by multiplying with the mask. To the softmax a"
        " 0 is an ordinary score.",
        why="exp(0) is 1, so hidden keys keep weight: more than any visible key with a negative score.",
        look="Look at the number that a hidden score becomes, its exponent included. What does exp make of it?",
        right="A hidden score becomes minus infinity, whose exp is 0.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-fill-too-small",
        title="masked scores not low enough",
        explanation="Hidden scores become a negative number that is within reach of ordinary scores, such as -10.",
        why="exp(-10) is small but not 0, and when all scores of a query are low it is not even small. What is hidden"
        " keeps an influence, and it leaks most where scores are large.",
        look="Look at the number that a hidden score becomes. How far below it could a visible score fall?",
        right="A hidden score becomes minus infinity, or the lowest number of its dtype.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-fill-positive-inf",
        title="masked scores set to +infinity",
        explanation="Hidden scores become plus infinity. The softmax then divides infinity by infinity, which is NaN.",
        why="Every query with a hidden key gets NaN, and NaN spreads through everything that is computed with it.",
        look="Look at the sign of the number that a hidden score becomes.",
        right="A hidden score becomes minus infinity, whose exp is 0.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-additive-01",
        title="mask of 0 and 1 added",
        explanation="The mask of zeros and ones is added to the scores as it is.",
        why="Adding 1 to a score multiplies its exp by 2.72: that is a preference and hides nothing. Only a mask of 0"
        " and minus infinity can be added.",
        look="Write down what a hidden and a visible score become, and what exp makes of both.",
        right="What is added is 0 where a query may attend, and minus infinity where it may not.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-zero-times-inf",
        title="zero times infinity",
        explanation="The mask is multiplied by infinity to be added to the scores. Where it is 0 that gives NaN.",
        why="0 times infinity is not 0 but undefined. It hits exactly the keys that nothing should happen to, and one"
        " NaN makes all weights of its query NaN.",
        look="Find the product in which infinity is a factor, and put in both values that a mask can have.",
        right="The number is chosen, not multiplied: minus infinity where the mask forbids, 0 or the score elsewhere.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-off-by-one-leak",
        title="mask shows one token too many",
        explanation="What may be attended to is shifted by one, so that a token also sees the one after it.",
        why="The next token is exactly the one that is to be predicted. The loss becomes very small, and nothing is"
        " learned that helps to generate text.",
        look="Find the triangle, and its diagonal. Write it down by hand for three tokens.",
        right="Under a causal mask token i sees the tokens up to i, itself included, and no other.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-off-by-one-no-self",
        title="mask hides the token itself",
        explanation="What may be attended to lacks the diagonal, so that no token sees itself. Under a causal mask the"
        " first one then sees nothing at all.",
        why="A softmax over nothing but minus infinity is 0 divided by 0: the first output becomes NaN, and training"
        " with it.",
        look="Find the triangle, and its diagonal. Write it down by hand for three tokens.",
        right="Every token may attend to itself unless the mask that is given forbids it; a causal mask shows token i"
        " the tokens up to i, itself included.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-always-causal",
        title="causal without being asked",
        explanation="Later tokens are hidden whatever mask is given, and even when none is.",
        why="Which tokens are visible is up to the caller. Without a mask all are, as in an encoder, and whoever wants"
        " a causal layer hands in a causal mask.",
        look="Look for a triangle that is made by your own code, in the constructor or in forward.",
        right="The mask that is given hides what it forbids, and nothing else is hidden; None hides nothing.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-on-queries",
        title="mask on the wrong axis",
        explanation="The mask is applied with its axes exchanged: it hides queries where it should hide keys.",
        why="A padded token then gets another output, which nobody reads, while every other token still attends to it.",
        look="Write the shapes of the scores and of the mask below one another, aligned at the right, with the meaning"
        " of each axis.",
        right="The last axis of the mask belongs to the keys, like that of the scores: entry [i, j] says whether query"
        " i may attend to key j.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-first-sample-only",
        title="first sample's mask for all",
        explanation="The mask of the first sample is applied to the whole batch.",
        why="Sequences of a batch have different lengths. With the first one's mask some attend to padding, and others"
        " are not allowed to see their own tokens.",
        look="Look for the place where the mask loses its batch axis, by an index or a reduction.",
        right="Every sample is masked by its own entry of the mask; an axis of size 1 is left to broadcasting.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-no-head-axis",
        title="mask lacks the head axis",
        explanation="A mask of shape (batch, seq, seq) meets scores of shape (batch, heads, seq, seq). Shapes are"
        " aligned from the right, so the mask's samples meet the heads.",
        why="It raises unless the batch is as large as the number of heads or holds one sample. As large as the number"
        " of heads, it does not raise, and every head gets the mask of some other sample.",
        look="Write both shapes below one another, aligned at the right, with the meaning of each axis.",
        right="The mask gets an axis of size 1 for the heads: (batch, 1, seq, seq), one mask for all heads.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="mask-head-batch-order",
        title="masks in another order than heads",
        explanation="Heads and samples share one axis, and the mask is repeated along it in another order than they"
        " stand in. So samples get each other's masks.",
        why="All shapes fit, so nothing raises. As long as all samples have the same mask, nothing is even wrong.",
        look="In the shared axis, which changes faster: the head or the sample? There are two ways to repeat a mask.",
        right="The copies of a mask are laid out like the scores: each stands at all heads of its own sample.",
        told=Told.PROVEN,
    ),
    _entry(
        id="mask-square-only",
        title="only square masks",
        explanation="The mask is taken to have as many rows as columns.",
        why="It would matter where queries and keys come from sequences of different lengths, as between a decoder and"
        " its encoder.",
        look="Look at which axis of the mask each size is read from.",
        right="Rows belong to queries and columns to keys, each with a size of its own.",
        told=Told.UNTOLD,
        reason="Self-attention has as many queries as keys, so no call can show it. (A mask with one row for all"
        " queries is part of the assignment, and is checked.)",
        harmless="In self-attention there is nothing it could do wrong.",
    ),
    _entry(
        id="mask-wrong-length",
        title="mask of a fixed length",
        explanation="A mask that was made for one length meets a sequence of another.",
        why="Sequences come in all lengths. A mask that was made once, in the constructor, fits one of them.",
        look="Compare the size that the mask is made with and the length of the sequence that forward is given.",
        right="A mask that is made for the longest sequence is cut to the rows and columns of the one at hand, or it is"
        " made in forward.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="mask-stale-cache",
        title="mask kept from an earlier call",
        explanation="A mask that was made or given in one call is used again in later ones.",
        why="The next sequences have other lengths and other padding. Either the shapes no longer fit, or tokens are"
        " hidden by somebody else's mask.",
        look="Look for an attribute that forward writes, and that a later call finds there.",
        right="Every call uses the mask it is given. What is kept between calls depends on nothing that may change.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="mask-not-buffer",
        title="mask is no buffer",
        explanation="A mask that the module keeps is a plain attribute, so it stays behind when the module is moved to"
        " another device.",
        why="Nothing happens as long as everything is on the CPU. On a GPU the first call raises.",
        look="Look at how tensors that are not learned are stored in the constructor.",
        right="Tensors that belong to the module without being learned are registered as buffers, or made in forward on"
        " the device of x.",
        told=Told.UNTOLD,
        reason="Seen from outside, some tensor stays on the CPU, and that is told as hard-coded-device. Whether it was"
        " kept or is made anew in each call cannot be seen.",
    ),
    _entry(
        id="mask-is-parameter",
        title="mask is a parameter",
        explanation="A mask is stored as a parameter, so training may change it.",
        why="A parameter is meant to be learned: an optimiser may move it, and then it no longer hides what it was made"
        " to hide.",
        look="List the names and shapes of all parameters: which of them should not be learned?",
        right="What belongs to the module without being learned is a buffer.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="mask-mutated",
        title="mask changed in place",
        explanation="The mask that was handed in is written to.",
        why="The caller hands the same mask to the next layer, which then gets another one than was meant.",
        look="Look for operations whose name ends in an underscore, and for assignments to a part of a tensor. A view"
        " of the mask shares its memory.",
        right="Operations on the mask make a new tensor, and leave the one that was given as it was.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="mask-dtype-rejected",
        title="only some mask dtypes",
        explanation="Masks of one dtype work, others raise or give other results.",
        why="Booleans, whole numbers and floating ones are all in use for masks. Operators differ between them: what"
        " inverts a boolean makes -1 of 0, and -2 of 1.",
        look="Look at the first operation on the mask. What does it do to True, to 1 and to 1.0?",
        right="The mask is compared with zero first: mask == 0 is boolean, whatever the mask was.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="fully-masked-row-nan",
        title="NaN where nothing is visible",
        explanation="A query that may attend to no key at all gets NaN.",
        why="A softmax over nothing but minus infinity is 0 divided by 0. Such queries come up with padding on the"
        " left, and their NaN spreads through the layers above.",
        look="Think a query without any visible key through, from the scores to the output.",
        right="The assignment promises at least one key to every query. Elsewhere such rows are set to 0 after the"
        " softmax.",
        told=Told.OBSERVED,
        harmless="The assignment promises that every query may attend to some key.",
    ),
)
