"""The learnable tensors of an object: those its module registered, and those it hides in plain lists and attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from grader import wire

WALK_DEPTH: Final = 6
LEAVES_CAP: Final = 2000


Found = Sequence[tuple[str, Tensor, bool]]
"""Path, tensor, and whether it is registered."""


def survey(found: Found) -> tuple[wire.Leaf, ...]:
    """What is known of the learnable tensors that `walk` found, without their values."""
    return tuple(
        wire.Leaf(
            path=path,
            shape=None if is_lazy(leaf) else tuple(leaf.shape),
            dtype=str(leaf.dtype).removeprefix("torch."),
            registered=registered,
            trainable=leaf.requires_grad,
        )
        for path, leaf, registered in found
    )


def walk(module: object) -> Iterator[tuple[str, Tensor, bool]]:
    """Yield (path, tensor, registered) for everything a module could learn, each tensor once.

    Registered parameters come first. Then whatever hides where `parameters()` does not look: modules and floating
    tensors in plain lists, tuples, dicts and attributes. Constants such as masks are told from weights by their dtype
    and values only as far as zeros, ones and infinities go.
    """
    seen: set[int] = set()
    buffers = {id(tensor) for tensor in module.buffers()} if isinstance(module, nn.Module) else set()
    if isinstance(module, nn.Module):
        for path, parameter in module.named_parameters():
            seen.add(id(parameter))
            yield path, parameter, True
    for path, tensor in _hidden_tensors(module, "", WALK_DEPTH, set()):
        if id(tensor) in seen or id(tensor) in buffers or not _could_be_weight(tensor):
            continue
        seen.add(id(tensor))
        yield path, tensor, False
        if len(seen) > LEAVES_CAP:
            return


def _hidden_tensors(thing: object, path: str, depth: int, visited: set[int]) -> Iterator[tuple[str, Tensor]]:
    if isinstance(thing, Tensor):
        yield path, thing
        return
    if depth == 0 or id(thing) in visited:
        return
    visited.add(id(thing))
    for name, member in _members(thing).items():
        yield from _hidden_tensors(member, f"{path}.{name}" if path else name, depth - 1, visited)


def _members(thing: object) -> dict[str, Any]:
    """What a module, a collection or a student's own object holds, by the step that leads there."""
    match thing:
        case nn.Module() if type(thing).__module__.startswith("torch.nn.modules.") and not thing._modules:
            return thing._parameters  # one of torch's own layers hides nothing
        case nn.Module():
            members = {**thing.__dict__, **thing._parameters, **thing._modules}
            return {name: member for name, member in members.items() if name not in _MODULE_INTERNALS}
        case list() | tuple():
            return {str(index): item for index, item in enumerate(thing[:256])}
        case dict():
            return {str(key): item for key, item in list(thing.items())[:256]}
        case _ if type(thing).__module__ not in _FOREIGN and hasattr(thing, "__dict__") and not callable(thing):
            return vars(thing)
        case _:
            return {}


_MODULE_INTERNALS: Final = frozenset(nn.Module().__dict__) - {"training"}
_FOREIGN: Final = frozenset({"builtins", "collections", "types", "torch"})


def _could_be_weight(tensor: Tensor) -> bool:
    if isinstance(tensor, nn.Parameter):
        return True
    if not tensor.is_floating_point() or tensor.dim() == 0 or tensor.device.type != "cpu":
        return False
    plain = (tensor == 0) | (tensor == 1) | tensor.isinf()
    return not bool(plain.all())


def is_lazy(tensor: Tensor) -> bool:
    """Whether the tensor gets its shape only when the module is first called."""
    return isinstance(tensor, UninitializedParameter)


def has_values(tensor: Tensor) -> bool:
    """Whether the tensor holds floating numbers that a gradient can be taken for."""
    return tensor.is_floating_point() and not is_lazy(tensor)


def fill(found: Found, values: dict[str, Tensor]) -> None:
    """Set the learnable tensors that `walk` found, in place. Raises `KeyError` for a path that is not among them."""
    by_path = {path: leaf for path, leaf, _ in found}
    with torch.no_grad():
        for path, value in values.items():
            by_path[path].copy_(value)


def switch(module: Any, *, training: bool) -> None:
    """`train(training)` on the module and on the modules it does not know it has."""
    for part in (module, *_unregistered_modules(module)):
        if hasattr(part, "train"):
            part.train(training)


def convert(module: Any, *, dtype: torch.dtype | None, device: str | None, reach: bool) -> None:
    """`module.to(dtype, device)`; with `reach` also for modules and tensors it does not know it has."""
    module.to(dtype=dtype, device=device)
    if not reach:
        return
    for part in _unregistered_modules(module):
        part.to(dtype=dtype, device=device)
    for _, leaf, registered in walk(module):
        if not registered and dtype is not None and leaf.dtype != dtype:
            leaf.data = leaf.data.to(dtype)


def _unregistered_modules(module: object) -> list[nn.Module]:
    """Modules in plain lists, dicts and attributes, which `to` and `train` do not reach."""
    known = set(map(id, module.modules())) if isinstance(module, nn.Module) else {id(module)}
    found: list[nn.Module] = []
    visited: set[int] = set()
    stack: list[tuple[object, int]] = [(module, 0)]
    while stack and len(found) < LEAVES_CAP:
        thing, depth = stack.pop()
        if id(thing) in visited or depth > WALK_DEPTH:
            continue
        visited.add(id(thing))
        if isinstance(thing, nn.Module) and id(thing) not in known:
            known.update(map(id, thing.modules()))
            found.append(thing)
        stack += [(member, depth + 1) for member in _members(thing).values()]
    return found
