"""Imports and runs once, before the first fork, what every submission would otherwise pay for."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import torch
from matplotlib import pyplot
from torch import Tensor, nn

from grader import tensors, wire
from grader.serving import Desk
from grader.worker.definitions import execute
from grader.worker.loading import Bundle, Remains

PRELOADED = (
    "collections",
    "copy",
    "dataclasses",
    "functools",
    "itertools",
    "json",
    "math",
    "matplotlib.pyplot",
    "numpy",
    "random",
    "time",
    "torch.nn.functional",
    "torch.optim",
    "torch.utils.data",
    "typing",
)
"""What submissions import at their top."""

PATIENCE = 60.0

LAYER = """
def scale(x, width):
    return x / math.sqrt(width)


class Layer(nn.Module):
    def __init__(self, width, dropout=0.0):
        super().__init__()
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        scores = scale(self.query(x) @ self.key(x).transpose(-2, -1), x.shape[-1])
        return self.dropout(torch.softmax(scores, dim=-1)) @ x
"""


def warm() -> None:
    """Import the usual modules, then answer every kind of question about a layer of our own, on one thread."""
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in PRELOADED:
            _import(name)
        for dtype in ("float64", "float32"):
            _rehearse(dtype)
        _train()
        _plot()
        _read_a_notebook()
        asyncio.run(_nothing())


def _import(name: str) -> None:
    try:
        __import__(name)
    except Exception:
        return  # a student's own import will say so


class _Layer(nn.Module):
    """The operations of an attention layer, in the ways people write them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, seq, width = x.shape
        query, key, value = (self.layers[i](x).view(batch, seq, 2, width // 2).transpose(1, 2) for i in range(3))
        scores = query @ key.transpose(-2, -1) / 2.0
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(1) == 0, float("-inf"))
        weights = self.dropout(torch.softmax(scores, dim=-1))
        heads = torch.einsum("bhqk,bhkd->bhqd", weights, value)
        output: Tensor = self.layers[3](heads.transpose(1, 2).contiguous().view(batch, seq, width))
        return output


def _rehearse(dtype: str) -> None:
    """Ask a desk of our own whatever examiners ask."""
    desk = Desk(lambda request: _Layer, sources={}, output=str)
    x = torch.ones(2, 3, 8, dtype=tensors.DTYPES[dtype])
    sent, mask = tensors.encode_tensor(x), tensors.encode_tensor(torch.eye(3).bool().expand(2, 3, 3))
    cotangents = tensors.encode_tensor(x[None])
    assert isinstance(cotangents, wire.Array)
    for question in (
        wire.Open("", "", definitions_only=False, seed=0, seconds=PATIENCE),
        wire.Build((8,), {}, dtype, {}, PATIENCE),
        wire.Call(0, (sent, mask), {}, echo=True, seconds=PATIENCE),
        wire.Trace(0, (sent, mask), {}, PATIENCE),
        wire.Differentiate(0, (sent,), {}, (), cotangents, forgiving=True, seconds=PATIENCE),
        wire.Differentiate(0, (sent,), {}, (), cotangents, forgiving=False, seconds=PATIENCE),
        wire.Switch(0, training=True, seconds=PATIENCE),
        wire.Call(0, (sent,), {}, echo=False, seconds=PATIENCE),
        wire.Call(0, (), {}, echo=False, seconds=PATIENCE),  # raises, as some submissions will
        wire.Convert(0, None, "meta", reach=False, seconds=PATIENCE),
        wire.Call(0, (wire.Hollow(dtype, (2, 3, 8), "meta"),), {}, echo=False, seconds=PATIENCE),
    ):
        desk.answer(question)


def _plot() -> None:
    """One picture of attention weights, with what people put around it; the first one loads fonts and much else."""
    figure, axes = pyplot.subplots(1, 2)
    image = axes[0].imshow(torch.rand(4, 4).numpy(), cmap="viridis")
    axes[0].set(title="Attention", xlabel="key", ylabel="query", xticks=range(4), xticklabels="abcd")
    axes[1].plot([1.0, 2.0], label="loss")
    axes[1].legend()
    figure.colorbar(image)
    figure.tight_layout()
    figure.canvas.draw()
    pyplot.close(figure)


def _read_a_notebook() -> None:
    """Run the definitions of a notebook, and look whether they can be graded."""
    cells = (
        wire.CodeCell(
            1, "import math\nimport torch\nfrom torch import nn", "import math\nimport torch\nfrom torch import nn"
        ),
        wire.CodeCell(2, LAYER, LAYER),
        wire.CodeCell(3, "list = Layer(4)\nlist", "list = Layer(4)\nlist"),
    )
    bundle = Bundle({"notebook.ipynb": wire.File(b"", cells)})
    namespace: dict[str, Any] = {}
    execute(bundle.definitions("notebook.ipynb"), namespace, persistent=True)
    request = wire.Open("notebook.ipynb", "Layer", definitions_only=False, seed=0, seconds=PATIENCE)
    Desk(Remains(bundle, namespace), sources=bundle.lines(), output=str).answer(request)


async def _nothing() -> None:
    """What the first event loop imports."""


def _train() -> None:
    """One step of training, as in the demo code below many a submission."""
    layer = nn.Linear(8, 8)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.ones(2, 8)).sum().backward()
    optimiser.step()
    optimiser.zero_grad()
    repr(layer.weight)
