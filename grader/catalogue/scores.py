"""Scores and softmax: how queries and keys become attention weights, and how these meet the values."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.SCORES)

SCORES: Final = (
    _entry(
        id="keys-not-transposed",
        title="keys not transposed",
        explanation="The queries are multiplied by the keys as they stand, so that features of the one meet tokens of"
        " the other.",
        why="A score is the dot product of one query and one key. Without the transpose the shapes fit only where a"
        " sequence happens to be as long as a key is wide, and then the numbers mean nothing.",
        look="Write the shapes of both factors of the scores side by side. Over which axis does the product sum, and"
        " over which should it?",
        right="Q K^T: the last two axes of the keys change places, so that (seq, d_k) times (d_k, seq) gives (seq,"
        " seq).",
        told=Told.OBSERVED,
    ),
    _entry(
        id="transpose-T-on-3d",
        title=".T on a batch",
        explanation=".T reverses the order of all axes. On a batch it exchanges samples and features as well, and .t()"
        " refuses more than two axes.",
        why="What works on a single matrix stops working with a batch axis in front. torch itself warns of .T on more"
        " than two axes.",
        look="Find .T or .t() in your code, and write the shape of the tensor before it and after it.",
        right="Only the last two axes of the keys change places, which are named from the end: -2 and -1.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="transpose-wrong-axes",
        title="wrong axes transposed",
        explanation="A transpose exchanges other axes than those that the next product needs, and the shapes do not"
        " fit.",
        why="An axis number means another axis as soon as the batch or the heads have an axis of their own. Where sizes"
        " happen to be equal, nothing raises and the numbers are wrong.",
        look="Write the shape, axis by axis with its meaning, before and after each transpose.",
        right="For the scores only the last two axes of the keys change places: (..., seq, d_k) becomes (..., d_k,"
        " seq), and everything in front stays.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="scale-missing",
        title="scores not scaled",
        explanation="The scores go into the softmax as they are; they are not divided by the square root of the width"
        " of a key.",
        why="A dot product of d independent numbers of variance 1 has variance d. Unscaled, wide keys give large"
        " scores, the softmax puts nearly everything on one key, and next to no gradient comes through it.",
        look="Look at what stands between the product of queries and keys and the softmax.",
        right="Q K^T / sqrt(d_k), where d_k is the width of one key.",
        told=Told.PROVEN,
    ),
    _entry(
        id="scale-embed-dim",
        title="scaled by sqrt(embed_dim)",
        explanation="The scores are divided by the square root of the full width, although the queries and keys of one"
        " head are only a part of it.",
        why="The spread of a dot product follows from how many products it sums, and in one head these are few. All"
        " scores get too small, by the square root of the number of heads, and attention flatter than it should be.",
        look="Look at which size the root is taken of. How many products are summed up in one score?",
        right="sqrt(d_k) with the width of one head's keys: d_k = embed_dim // num_heads.",
        told=Told.PROVEN,
    ),
    _entry(
        id="scale-d-not-sqrt",
        title="scaled by d, not sqrt(d)",
        explanation="The scores are divided by the width of a key instead of its square root; or they are divided by"
        " the root twice.",
        why="The spread of a dot product grows with the root of its length. Divided by the length itself, scores get"
        " ever smaller as keys get wider, and all weights nearly equal.",
        look="Count how often the scores are scaled on their way, also inside functions that you call, and by what each"
        " time.",
        right="Q K^T / sqrt(d_k): one division, by the root.",
        told=Told.PROVEN,
    ),
    _entry(
        id="scale-inverted",
        title="scale upside down",
        explanation="The scores are multiplied by the root where they must be divided.",
        why="The scores of wide keys are large already. Made larger still, they let the softmax put everything on one"
        " key, and next to no gradient comes through it.",
        look="Look at the sign of the exponent together with the operator in front of it: two inversions cancel.",
        right="Q K^T / sqrt(d_k), or the same as a product: Q K^T * d_k**-0.5.",
        told=Told.PROVEN,
    ),
    _entry(
        id="scale-wrong-size",
        title="scaled by the wrong size",
        explanation="The scores are scaled by the size of another axis than the width of a key: by the length of the"
        " sequence, the size of the batch or the number of heads.",
        why="The same tokens then attend differently in a longer sequence, or in a larger batch, which has nothing to"
        " do with them.",
        look="Look at which entry of which shape the scale is read from. Reshapes and transposes move axes.",
        right="1/sqrt(d_k), where d_k is the size of the last axis of the keys, which the dot product sums over.",
        told=Told.PROVEN,
    ),
    _entry(
        id="scale-quarter",
        title="only half of the scaling",
        explanation="The scores are divided by the fourth root of the width of a key: half of the scaling is missing.",
        why="Queries and keys may each be divided by the fourth root, which makes the square root in their product."
        " When only one of them is, the scores stay too large.",
        look="Find every place where queries, keys or scores are scaled, and multiply up what they do together.",
        right="All factors together are 1/sqrt(d_k), in one place or shared between queries and keys.",
        told=Told.PROVEN,
    ),
    _entry(
        id="scale-constant",
        title="scaled by a constant",
        explanation="The scores are multiplied by a number that is not one over the square root of the width of a key.",
        why="The spread of the scores depends on the width of a key, so no fixed number suits every width.",
        look="Look for a number written into the line that scales the scores, or into what that line uses.",
        right="1/sqrt(d_k), computed from the width of the keys.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-missing",
        title="no softmax",
        explanation="The raw scores are used as attention weights.",
        why="The weights of an average are positive and sum to one. Scores are neither: the output grows with the"
        " length of the sequence, and a negative score subtracts a value.",
        look="Look at what stands between the scores and their product with the values.",
        right="weights = softmax(scores) over the keys; these weights meet the values.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-dim-query",
        title="softmax over the queries",
        explanation="The softmax runs along the queries: the weights that each key receives sum to one, not those that"
        " each query gives.",
        why="Each output should be an average of values. This way some tokens get more than a whole one, others next to"
        " nothing, and with a causal mask later queries have an influence on earlier ones.",
        look="Find the axis that the softmax is given, and write the shape of the scores beside it. Which axis holds"
        " the keys?",
        right="Along the keys, the last axis of the scores: every row sums to one.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-dim-head",
        title="softmax over the heads",
        explanation="The softmax runs along the axis of the heads: for each pair of tokens, the weights of all heads"
        " together sum to one.",
        why="Heads should not know of each other. This way they compete for each pair, and no query's weights over the"
        " keys sum to one.",
        look="Find the axis that the softmax is given, and write the shape of the scores beside it. A number that was"
        " right for three axes may be wrong for four.",
        right="Along the keys, the last axis of the scores: every row of every head sums to one.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-dim-batch",
        title="softmax over the batch",
        explanation="The softmax runs along the batch: for each pair of positions, the weights of all samples together"
        " sum to one.",
        why="What one sample gets then depends on the others it is batched with. Alone in a batch, all its weights are"
        " exactly 1.",
        look="Find the axis that the softmax is given, and write the shape of the scores beside it. When it is given"
        " none, it takes one that you have not chosen.",
        right="Along the keys, the last axis of the scores: every row of every sample sums to one.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-dim-implicit",
        title="softmax without an axis",
        explanation="The softmax is not told along which axis to run. torch then takes axis 0 where there are one or"
        " three axes, and axis 1 otherwise.",
        why="For scores of shape (batch, seq, seq) that is the batch, for (batch, heads, seq, seq) the heads: never the"
        " keys. torch warns of it.",
        look="Look at what the softmax is given besides the scores, and at the warnings that torch prints.",
        right="The softmax is told to run along the keys, the last axis.",
        told=Told.OBSERVED,
        harmless="By itself it costs nothing. Where the axis that torch takes is a wrong one, that is told as well.",
    ),
    _entry(
        id="softmax-twice",
        title="softmax applied twice",
        explanation="A second softmax is applied to the attention weights, which makes them nearly uniform.",
        why="Weights lie between 0 and 1, and so their exponentials between 1 and 2.72: no key can stand out any more."
        " Masked keys, whose weight was 0, get weight again.",
        look="Follow the weights from the scores to the values, and through every function you call on the way.",
        right="One softmax over the scores. Nothing but dropout comes after it.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-global",
        title="softmax over all pairs",
        explanation="The softmax runs over all pairs of queries and keys at once: all weights of a sample together sum"
        " to one, not those of each query.",
        why="Queries take weight away from each other, and each output is only a fraction of an average. The longer the"
        " sequence, the smaller it gets.",
        look="Look at what happens to the shape of the scores around the softmax, and which sum it divides by.",
        right="Along the keys, the last axis of the scores: the weights of each query sum to one by themselves.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-replaced",
        title="not a softmax",
        explanation="Something other than a softmax makes attention weights of the scores: for instance a sigmoid, a"
        " log-softmax, or scores divided by their sum.",
        why="A softmax makes all weights positive, lets those of a query sum to one, and depends on differences between"
        " scores only. Other functions lack at least one of these.",
        look="Name the function between the scores and the weights, and check what it makes of the scores -1, 0 and 1.",
        right="weight = exp(score) / sum of exp(score) over the keys.",
        told=Told.PROVEN,
    ),
    _entry(
        id="softmax-unstable",
        title="softmax overflows",
        explanation="exp of a large score overflows to infinity, and infinity divided by infinity is NaN.",
        why="In single precision exp overflows for scores above 88, in half precision already above 11. One NaN in a"
        " training step spreads into every weight.",
        look="Look at the scores just before exp. What happens to the weights of a query when all its scores change by"
        " the same number?",
        right="The largest score of each query is subtracted before exp; torch's own softmax does so by itself.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="attention-transposed",
        title="attention transposed",
        explanation="The attention weights are transposed before they meet the values.",
        why="Each output then collects what other tokens wanted of its own token, instead of what its token wants of"
        " others, and those weights do not sum to one.",
        look="Look at the product of weights and values. Is the axis it sums over the one along which the softmax ran?",
        right="weights V: row i of the weights, which sums to one, makes output i.",
        told=Told.PROVEN,
    ),
    _entry(
        id="attention-unused",
        title="attention weights not used",
        explanation="The values go on to the output without being averaged: attention weights may be computed, but"
        " nothing is multiplied by them.",
        why="Each output depends on its own token alone. Nothing is learned from the context, which is all that"
        " attention is for.",
        look="Follow the weights onwards from the softmax. What is made with them, and does it reach the return?",
        right="weights V: every output is an average of all values, by its query's weights.",
        told=Told.PROVEN,
    ),
)
