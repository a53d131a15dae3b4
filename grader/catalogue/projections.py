"""Projections: what makes queries, keys and values of the tokens."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.PROJECTIONS)

PROJECTIONS: Final = (
    _entry(
        id="value-not-projected",
        title="values not projected",
        explanation="The attention weights average the input itself; no projection has made values of it.",
        why="What a token is found by and what it passes on are two things. Without a value projection a token can only"
        " pass on all of itself.",
        look="Take the tensor that the attention weights are multiplied by, and follow it back to where it is made.",
        right="V = x Wv: the values are a projection of x by a layer of their own, as queries and keys are.",
        told=Told.PROVEN,
    ),
    _entry(
        id="query-not-projected",
        title="queries not projected",
        explanation="The keys are compared with the input itself; no projection has made queries of it.",
        why="What a token looks for then has to be what it is. Only the keys can learn anything about what should"
        " match.",
        look="Take the first factor of the scores, and follow it back to where it is made.",
        right="Q = x Wq: the queries are a projection of x by a layer of their own.",
        told=Told.PROVEN,
    ),
    _entry(
        id="key-not-projected",
        title="keys not projected",
        explanation="The queries are compared with the input itself; no projection has made keys of it.",
        why="What a token can be found by then has to be what it is. Only the queries can learn anything about what"
        " should match.",
        look="Take the second factor of the scores, and follow it back to where it is made.",
        right="K = x Wk: the keys are a projection of x by a layer of their own.",
        told=Told.PROVEN,
    ),
    _entry(
        id="value-uses-key",
        title="values made by the key layer",
        explanation="One and the same layer makes the keys and the values. The layer that was meant for one of them"
        " takes no part.",
        why="What a token is found by and what it then passes on are tied together, although they should be learned"
        " separately. The idle layer never learns at all.",
        look="Put the lines that make queries, keys and values below one another, and compare which layer each calls. A"
        " copied line keeps its old layer easily.",
        right="Three layers, each used once: Q = x Wq, K = x Wk, V = x Wv.",
        told=Told.PROVEN,
    ),
    _entry(
        id="value-uses-query",
        title="values made by the query layer",
        explanation="One and the same layer makes the queries and the values. The layer that was meant for one of them"
        " takes no part.",
        why="What a token looks for and what it passes on to others are tied together, although they should be learned"
        " separately. The idle layer never learns at all.",
        look="Put the lines that make queries, keys and values below one another, and compare which layer each calls. A"
        " copied line keeps its old layer easily.",
        right="Three layers, each used once: Q = x Wq, K = x Wk, V = x Wv.",
        told=Told.PROVEN,
    ),
    _entry(
        id="key-uses-query",
        title="keys made by the query layer",
        explanation="One and the same layer makes the queries and the keys. The layer that was meant for one of them"
        " takes no part.",
        why="The scores become symmetric: one token then looks for another exactly as much as the other looks for it. A"
        " verb could not look for its subject without being looked for just as much.",
        look="Put the lines that make queries, keys and values below one another, and compare which layer each calls. A"
        " copied line keeps its old layer easily.",
        right="Three layers, each used once: Q = x Wq, K = x Wk, V = x Wv.",
        told=Told.PROVEN,
    ),
    _entry(
        id="kv-swapped",
        title="key and value layers exchanged",
        explanation="The layer whose name says key makes the values, and the one whose name says value the keys.",
        why="It computes self-attention all the same. Names that say something else only mislead whoever reads the"
        " code, or loads weights into it by name.",
        look="Read the name of each layer beside what is made with it.",
        right="Every layer is called after what it makes.",
        told=Told.UNTOLD,
        reason="A layer learns the role it is used in. With the two names exchanged the module computes the same, and"
        " names are not judged.",
        harmless="The output is that of self-attention.",
    ),
    _entry(
        id="qk-swapped",
        title="query and key layers exchanged",
        explanation="The layer whose name says query makes the keys, and the one whose name says key the queries.",
        why="It computes self-attention all the same. It would matter where queries and keys come from different"
        " inputs, as between a decoder and its encoder, or where weights are loaded by name.",
        look="Read the name of each layer beside what is made with it.",
        right="Every layer is called after what it makes.",
        told=Told.UNTOLD,
        reason="In self-attention queries and keys are both projections of the same tokens. With the two names"
        " exchanged the module computes the same, and names are not judged.",
        harmless="The output is that of self-attention.",
    ),
    _entry(
        id="qkv-one-projection",
        title="one projection for all three",
        explanation="Queries, keys and values are made by one and the same projection, so all three are equal.",
        why="The scores become symmetric, and a token passes on exactly what it is found by. Hardly more can be learned"
        " than an average over similar tokens.",
        look="Count what is learned: how many numbers come out of the projections for one token, and how many different"
        " vectors does attention need of it?",
        right="Three projections: three layers, or one that is three times as wide and whose result is divided.",
        told=Told.PROVEN,
    ),
    _entry(
        id="no-projections",
        title="no projections",
        explanation="Queries, keys and values are all the input itself: nothing has been projected.",
        why="Which token attends to which can then not be learned. It is always the ones that are similar already.",
        look="Look in the constructor for what can be learned, and in forward for what happens to x before the scores.",
        right="Queries, keys and values are three learned projections of x.",
        told=Told.PROVEN,
    ),
    _entry(
        id="weight-orientation",
        title="weight matrix turned round",
        explanation="The tokens are multiplied by the transpose of the weight that was meant.",
        why="A square matrix learns as well in one orientation as in the other. Weights that are loaded from elsewhere"
        " would be applied the wrong way round.",
        look="Write the shape of the weight beside the product it stands in. A linear layer keeps its weight as (out,"
        " in).",
        right="With a weight of shape (out, in), the tokens are multiplied by its transpose: x W^T.",
        told=Told.UNTOLD,
        reason="With learned weights, a square matrix and its transpose can compute the same. Where the matrix is not"
        " square the product raises, and that is told as shape-error.",
        harmless="The output is that of self-attention.",
    ),
    _entry(
        id="activation-on-projection",
        title="activation on a projection",
        explanation="Queries, keys or values pass through a nonlinearity, such as ReLU, after they are projected.",
        why="An activation takes away what a projection can say. After a ReLU on queries and keys, for instance, no"
        " score is negative any more: no token can say that another does not matter.",
        look="Look at what happens to each projection between the layer that makes it and its first use.",
        right="The projections are linear: a matrix, with a bias if you like, and nothing after it. The activation of a"
        " transformer stands in the feed-forward block.",
        told=Told.PROVEN,
    ),
    _entry(
        id="split-then-project",
        title="split before projecting",
        explanation="The features are divided among the heads first, so the projections of a head see only their own"
        " slice of the input.",
        why="Every head should choose from the whole token. This way it is blind to most of it, and its projections"
        " have only a fraction of the weights.",
        look="Which comes first, projecting or dividing? How many numbers of a token does one head get to see?",
        right="Every head projects all embed_dim features to head_dim; what is divided is the result.",
        told=Told.PROVEN,
    ),
    _entry(
        id="loop-overwrites-input",
        title="loop overwrites its input",
        explanation="In the loop over the heads a name is assigned that the next pass reads as its input. So every head"
        " after the first is fed what the one before has made.",
        why="Heads work side by side, on the same tokens. In a chain, the second no longer sees the input, and the"
        " widths fit only by chance.",
        look="Look inside the loop for a name that is read by the layers and assigned further down.",
        right="Each pass reads the original x, and gives its results names of their own.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="bias-missing",
        title="projection without a bias",
        explanation="A projection has no bias.",
        why="It hardly matters here. A bias on the keys even has no effect at all: it adds the same number to all"
        " scores of a query, and the softmax does not see that.",
        look="Look at how the projections are made.",
        right="With and without are both right: the assignment leaves it to you.",
        told=Told.UNTOLD,
        reason="The assignments leave biases free, so a module without one is as correct as one with it.",
        harmless="Both ways are accepted.",
    ),
    _entry(
        id="bias-unexpected",
        title="projection with a bias",
        explanation="A projection has a bias.",
        why="It hardly matters here. A bias on the keys even has no effect at all: it adds the same number to all"
        " scores of a query, and the softmax does not see that.",
        look="Look at how the projections are made.",
        right="With and without are both right: the assignment leaves it to you.",
        told=Told.UNTOLD,
        reason="The assignments leave biases free, so a module with one is as correct as one without it.",
        harmless="Both ways are accepted.",
    ),
)
