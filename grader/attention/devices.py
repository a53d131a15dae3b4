"""Whether something of a module stays behind when it is moved to another device, found without having one.

The device `meta` has no data: what was moved there computes shapes only, and complains when it meets a tensor that was
not moved.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

from grader import leaves

WORDS: Final = ("expected device", "same device", "different devices", "out of meta", "device meta", "meta device")
"""Fragments of torch's messages when tensors of one computation live on different devices."""


def is_about_devices(message: str) -> bool:
    """Whether an exception's text complains that tensors live on different devices."""
    return "item()" not in message and any(words in message for words in WORDS)


def stays_behind(module: nn.Module, embed_dim: int) -> bool:
    """Whether a module that is moved to `meta` still meets a tensor that is not there. The module is spoilt by it."""
    leaves.convert(module, dtype=None, device="meta", reach=True)
    try:
        output = module(torch.zeros(2, 5, embed_dim, device="meta"))
    except Exception as error:
        return is_about_devices(str(error))
    return isinstance(output, torch.Tensor) and output.device.type != "meta"
