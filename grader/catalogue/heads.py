"""Heads: how features are divided among them, how their outputs become one, and the projection that follows."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.HEADS)

HEADS: Final = (
    _entry(
        id="heads-full-width",
        title="heads project to full width",
        explanation="Every head returns all embed_dim features, so the concatenation of all heads is num_heads times"
        " too wide for the last layer.",
        why="The heads share the width between them, so that many small heads cost no more than one wide one and fit"
        " together again at the end.",
        look="Write down three widths: of what goes into one head, of what comes out of it, and of all heads together."
        " Two of them are equal.",
        right="A head projects embed_dim features to embed_dim // num_heads, and all heads together give embed_dim.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="head-linear-fed-full-width",
        title="head layer fed all features",
        explanation="A layer that is made for the features of one head is given all embed_dim features.",
        why="A linear layer takes exactly as many features as it was made for; the product of other shapes does not"
        " exist.",
        look="Compare the first size that the layer is made with and the last axis of what it is called on.",
        right="The projections of a head take in all embed_dim features and give out head_dim.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="full-linear-fed-head",
        title="full layer fed one head",
        explanation="A layer that is made for all embed_dim features is given those of one head only.",
        why="A linear layer takes exactly as many features as it was made for; the product of other shapes does not"
        " exist.",
        look="Look at which comes first, the layer or the division into heads.",
        right="A layer for all heads is called on the whole x, and its result is divided; the output projection is"
        " called on all heads together.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="heads-view-no-transpose",
        title="heads split without transpose",
        explanation="The features are divided into heads without moving an axis, so that tokens and heads get mixed up:"
        " what is taken for a head, or for a token, is neither.",
        why="A reshape never moves a number, it only counts the same ones differently. All shapes are right, nothing"
        " raises, and training even gets somewhere; but most tokens never meet.",
        look="Number the entries of a tiny input, two tokens of four features, and write down where each of them goes"
        " when two heads are made.",
        right="First the last axis is divided into (num_heads, head_dim), then the axes of tokens and heads change"
        " places: (batch, heads, seq, head_dim).",
        told=Told.PROVEN,
    ),
    _entry(
        id="merge-view-no-transpose",
        title="heads merged without transpose",
        explanation="The heads are reshaped back without moving their axis, so that one row of the result holds several"
        " tokens of one head instead of one token of all heads.",
        why="A reshape never moves a number, it only counts the same ones differently. The shape is right, nothing"
        " raises, and tokens get each other's outputs, under a causal mask from the future too.",
        look="Compare the way into the heads with the way out of them, step by step. Every step must be undone, in"
        " reverse order.",
        right="The axes of heads and tokens change places back, then the last two are joined: (batch, seq, embed_dim).",
        told=Told.PROVEN,
    ),
    _entry(
        id="heads-interleaved-inconsistently",
        title="heads interleaved",
        explanation="Features are dealt out to the heads in turn, and collected in another order than they were dealt.",
        why="It only changes which feature of a projection belongs to which head, and a projection can learn to put"
        " every feature anywhere. It would matter for weights that come from elsewhere.",
        look="Compare the order in which features are divided with the one in which they are joined.",
        right="Any order will do as long as each head keeps head_dim features of its own, for all tokens.",
        told=Told.UNTOLD,
        reason="Another order of features amounts to another order of the rows of learned weights, or of the columns of"
        " the output projection: the same functions can be learned, so it is accepted.",
        harmless="The output is that of multi-head self-attention.",
    ),
    _entry(
        id="heads-not-split",
        title="heads not split",
        explanation="num_heads makes no difference: there is one big head.",
        why="One head has a single set of weights for each token. With several, a word can look for its verb and for"
        " the word before it at once.",
        look="Follow num_heads from the constructor into forward. Do the scores have an entry for every head?",
        right="The features are divided among the heads, and every head has scores and weights of its own: (batch,"
        " heads, seq, seq).",
        told=Told.PROVEN,
    ),
    _entry(
        id="heads-summed",
        title="heads added up",
        explanation="The outputs of the heads are added up instead of being placed side by side.",
        why="What the heads have found is thrown together before the output projection could tell them apart.",
        look="Look at how many outputs become one. Which width does the result have?",
        right="Concatenation along the features: head_1 to head_h side by side are embed_dim wide.",
        told=Told.PROVEN,
    ),
    _entry(
        id="heads-averaged",
        title="heads averaged",
        explanation="The outputs of the heads are averaged instead of being placed side by side.",
        why="What the heads have found is thrown together before the output projection could tell them apart.",
        look="Look at how many outputs become one. Which width does the result have?",
        right="Concatenation along the features: head_1 to head_h side by side are embed_dim wide.",
        told=Told.PROVEN,
    ),
    _entry(
        id="heads-concatenated-wrong-dim",
        title="heads joined along a wrong axis",
        explanation="The outputs of the heads are joined along another axis than that of the features: the tokens, the"
        " samples, or one of their own.",
        why="What comes out is a longer sequence, a larger batch or one axis too many. Reshaped until it fits, it gives"
        " tokens the outputs of others.",
        look="Look at the axis along which the heads are joined, and write the shape of the result beside it.",
        right="Concatenation along the last axis, the features: (batch, seq, num_heads * head_dim).",
        told=Told.PROVEN,
    ),
    _entry(
        id="loop-keeps-last-head",
        title="only the last head is kept",
        explanation="Each pass of the loop over the heads overwrites the result of the one before, so only the last"
        " head reaches the output.",
        why="All other heads are computed for nothing, and never learn.",
        look="Look at what is left when the loop is over. Where do the results of earlier passes go?",
        right="Every pass adds its result to a collection, and all of them are concatenated after the loop.",
        told=Told.PROVEN,
    ),
    _entry(
        id="loop-returns-early",
        title="only the first head is used",
        explanation="The loop over the heads ends in its first pass, so only the first head reaches the output.",
        why="The other heads are never computed, and never learn.",
        look="Look at how far the lines at the end of the loop are indented.",
        right="The loop collects the output of every head; joining them and returning come after it.",
        told=Told.PROVEN,
    ),
    _entry(
        id="loop-discards-heads",
        title="heads computed, never used",
        explanation="The heads are computed, and the output is made of something else.",
        why="Each output depends on its own token alone, and no head ever learns.",
        look="Follow the outputs of the heads onwards. What is the last layer called on?",
        right="The output projection is called on the concatenated heads.",
        told=Told.PROVEN,
    ),
    _entry(
        id="heads-share-weights",
        title="heads share their weights",
        explanation="All heads use the same projections.",
        why="Heads are there to look for different things. With the same weights all of them look for the same.",
        look="Count the numbers that the module learns, and work out how many it should be. Which layer does each head"
        " call?",
        right="Every head has projections of its own, from all embed_dim features to head_dim: as layers of its own, or"
        " as its share of a larger one.",
        told=Told.PROVEN,
    ),
    _entry(
        id="heads-list-multiplied",
        title="one head, repeated",
        explanation="A list with one head in it was multiplied. That repeats the same head and makes no further ones.",
        why="All heads share one set of weights, so all of them compute the same.",
        look="Look at how the list of heads is made. How often is a head constructed?",
        right="Every head is constructed by a call of its own, for instance in a comprehension over range(num_heads).",
        told=Told.PROVEN,
    ),
    _entry(
        id="heads-python-list",
        title="heads in a plain list",
        explanation="The heads are kept in a plain Python list, and nn.Module does not look into lists.",
        why="parameters() finds none of their weights: no optimiser trains them, they are not saved, and they stay"
        " behind when the module is moved.",
        look="List the names of all parameters, and look at the container that holds the heads.",
        right="nn.ModuleList holds the heads; or one larger layer serves them all.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="batch-sequence-mixed",
        title="batch and sequence mixed up",
        explanation="The axes of samples and tokens are exchanged, so that samples attend to each other, position by"
        " position.",
        why="The tokens of a sequence never meet, and samples that have nothing to do with each other are mixed. With a"
        " single sample every token sees only itself.",
        look="Follow both axes through every reshape and transpose, and write beside each what it stands for. Some"
        " layers of the library expect the tokens first unless they are told otherwise.",
        right="The scores are (batch, heads, seq, seq), or (batch, seq, seq): every sample for itself.",
        told=Told.PROVEN,
    ),
    _entry(
        id="output-projection-missing",
        title="no output projection",
        explanation="The concatenated heads are returned as they are.",
        why="Every head writes to features of its own. Only a last projection can mix what they have found.",
        look="Compare what your constructor makes with the formula in the assignment: how many matrices does it name?",
        right="Concat(head_1, ..., head_h) Wo, with Wo from embed_dim to embed_dim.",
        told=Told.PROVEN,
    ),
    _entry(
        id="output-projection-unused",
        title="output projection unused",
        explanation="The last layer is defined, but its result is not used.",
        why="The heads are never mixed, and the layer never learns.",
        look="Look at the last lines of forward. Which name does the layer's result get, and which name is returned?",
        right="What is returned is the result of the output projection.",
        told=Told.PROVEN,
    ),
    _entry(
        id="output-projection-wrong-size",
        title="output projection too narrow",
        explanation="The last layer is made for the features of one head, but is given all heads concatenated.",
        why="All heads together are num_heads times as wide as one of them, so the shapes do not fit.",
        look="How wide are all heads side by side? Compare that with the sizes that the last layer is made with.",
        right="The output projection takes embed_dim features, which are num_heads * head_dim, and gives embed_dim.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="indivisible-heads-accepted",
        title="indivisible sizes accepted",
        explanation="A module is built even though the heads cannot share embed_dim evenly.",
        why="Whole-number division drops the rest without a word. The module then fails at its first call, far from the"
        " cause, or works with fewer features than it was asked for.",
        look="Look in the constructor for what happens to num_heads before it is used.",
        right="Where embed_dim % num_heads is not 0 the constructor raises, best a ValueError that names both numbers.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="float-head-dim",
        title="head width is a float",
        explanation="A size is computed by a division that gives a float, and sizes must be whole numbers.",
        why="In Python / gives a float even where the result is whole: 8 / 2 is 4.0, and a tensor cannot have 4.0"
        " features.",
        look="Find the line that computes the width of a head, and look at its operator.",
        right="embed_dim // num_heads, which is a whole number.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="view-noncontiguous",
        title="view after transpose",
        explanation="view is called on a tensor whose axes have changed places. It cannot join axes that no longer lie"
        " one after the other in memory.",
        why="A transpose moves no number in memory, it only changes the order in which they are read; view can only"
        " count numbers in the order they lie in.",
        look="Find the view that follows a transpose or a permute. torch's message names another function.",
        right="reshape, which copies where it has to; or contiguous() before the view.",
        told=Told.OBSERVED,
    ),
)
