"""Gradients, state, precision and device; and what belongs to the block around the layer."""

from __future__ import annotations

from functools import partial
from typing import Final

from grader.catalogue.entry import Entry, Group, Told

_entry = partial(Entry, group=Group.AUTOGRAD)

AUTOGRAD: Final = (
    _entry(
        id="gradients-detached",
        title="gradient cut off",
        explanation="The output depends on parameters that receive no gradient, or too small a part of it: somewhere"
        " the computation is cut off from them.",
        why="The output is right, so nothing seems to be wrong. But training leaves these parameters as they are.",
        look="Look for what takes a tensor out of the computation: detaching, data, no_grad, item, numpy, or a new"
        " tensor made from the numbers of another.",
        right="From x to the output, everything is computed with torch's functions on the tensors themselves.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="numpy-in-forward",
        title="numpy inside forward",
        explanation="A tensor that needs a gradient is handed to numpy, which knows no gradients, and torch refuses.",
        why="What numpy computes cannot be differentiated, nor does it run on a GPU: whatever lies before it would not"
        " be trained.",
        look="Look in forward for functions of numpy, and for plots and prints of tensors.",
        right="torch has the function as well, usually under the same name. For looking at numbers, a detached copy"
        " will do.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="inplace-on-input",
        title="input changed in place",
        explanation="The tensor that was handed in is written to.",
        why="The caller goes on with it: a residual connection, for instance, would add what you have made of it"
        " instead of what it was.",
        look="Look for +=, for operations whose name ends in an underscore, and for assignments to a part of a tensor."
        " A view of x shares its memory.",
        right="Operations on x make a new tensor, and leave x as it was.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="inplace-after-softmax",
        title="overwritten in place",
        explanation="A tensor that the gradient needs is overwritten in place after it was computed. The output is"
        " there, and the backward pass raises.",
        why="The gradient of a softmax is computed from its result. When that has been overwritten there is no way"
        " back.",
        look="Look between the softmax and the values for operations whose name ends in an underscore, and for"
        " assignments to a part of a tensor.",
        right="After the softmax, operations make a new tensor. Masking belongs before it anyway.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="layers-unused",
        title="unused layers",
        explanation="A layer is defined, but the output does not depend on it.",
        why="It takes memory and never learns; and often something else was meant to be computed with it.",
        look="Check off every layer of the constructor where forward uses it, and follow what it makes to the return.",
        right="Every layer that is defined takes part in the output.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="parameters-unregistered",
        title="parameters not registered",
        explanation="Something that should be learned is not found by parameters(): a plain tensor, or a layer in a"
        " plain list or dictionary.",
        why="An optimiser trains what parameters() finds. The rest keeps its random start, is not saved, and stays"
        " behind when the module is moved.",
        look="List the names of all parameters, and work out how many numbers there should be. What is missing, and how"
        " is it stored?",
        right="nn.Parameter for tensors; layers as attributes, or in an nn.ModuleList or nn.ModuleDict.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="hard-coded-size",
        title="fixed size",
        explanation="Some size is written down as a number, or taken from outside the class, so the module works for"
        " that size only.",
        why="Batches and sequences come in all sizes; the last batch of a data set is usually smaller than the others.",
        look="Look for numbers in the constructor and in forward, and for names that neither of them defines.",
        right="Widths come from the constructor's arguments; the sizes of the batch and the sequence from the shape of"
        " x, in every call.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="hard-coded-device",
        title="fixed device",
        explanation="Some tensor stays on one device when the module and its input are on another.",
        why="Nothing happens as long as everything is on the CPU. On a GPU the first call raises.",
        look="Look for every tensor that your code makes itself, and for where it comes to lie.",
        right="Tensors are made on the device of x, or are buffers, which move with the module.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="hard-coded-dtype",
        title="fixed precision",
        explanation="Some tensor has one fixed dtype instead of the input's, so that the output has it too, or the call"
        " raises.",
        why="Models are trained in half precision and checked in double. A module that decides by itself does not fit"
        " in.",
        look="Look for every tensor that your code makes itself, and for conversions such as float().",
        right="What goes in decides: new tensors take the dtype of x.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="answers-depend-on-precision",
        title="other outputs in single precision",
        explanation="In float32 the module computes something else than in float64, by far more than rounding.",
        why="Precision decides how many digits are right, and nothing else. Models are trained in float32 or less.",
        look="Look for conditions on a dtype, for fixed tolerances, and for numbers so large or small that they lose"
        " their meaning in float32.",
        right="The same formula for every dtype; the results then agree to about six digits.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="answers-depend-on-history",
        title="answers change with what was asked before",
        explanation="Asked the same once more, in another order and in a fresh process, the same weights gave other"
        " outputs in eval mode. Something that earlier calls left behind has an influence.",
        why="A module is called thousands of times, with all kinds of inputs. Its output may depend on the input, the"
        " mask and the weights, and on nothing else.",
        look="Look for attributes, globals and default arguments that forward writes to or counts up.",
        right="forward reads its arguments and the weights, and leaves nothing behind that a later call would use.",
        told=Told.OBSERVED,
    ),
    _entry(
        id="residual-inside",
        title="input added to the output",
        explanation="The input is added to the result; the assignment asks for no such residual connection.",
        why="The block around the layer adds its input already, so it would be added twice.",
        look="Look at what else goes into the output besides the averaged values.",
        right="The layer returns attention alone, after its output projection if it has one.",
        told=Told.PROVEN,
    ),
    _entry(
        id="normalisation-inside",
        title="normalisation inside",
        explanation="The input or the output passes through a normalisation, such as a layer norm, which the assignment"
        " does not ask for.",
        why="The block around the layer normalises, and where it does so differs between models. Within the layer it"
        " changes every output.",
        look="Look for what happens to x before the projections, and to the output after them.",
        right="The layer holds projections, scores, softmax and average, and nothing that normalises besides the"
        " softmax.",
        told=Told.PROVEN,
    ),
    _entry(
        id="activation-on-output",
        title="activation on the output",
        explanation="The output passes through a nonlinearity, such as ReLU.",
        why="It takes away what the layer can say: after a ReLU, for instance, no feature can be negative, and the"
        " block around the layer could only ever add to its input.",
        look="Look at what comes after the last product in forward.",
        right="The output is linear in the values: an average of them, and the output projection if there is one.",
        told=Told.PROVEN,
    ),
    _entry(
        id="output-rounded",
        title="output rounded",
        explanation="The output is rounded to a few decimals.",
        why="Rounding has a gradient of 0 almost everywhere, so nothing before it can learn.",
        look="Look at what happens to numbers so that they can be shown, and whether it happens to the output as well.",
        right="The output is returned as it was computed. Rounding is for printing.",
        told=Told.PROVEN,
    ),
)
