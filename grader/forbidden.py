"""Which forbidden function a dotted name is, be it written under its public name or one of its internal ones.

The host asks it about what stands in the source, the examiner about what a trace of calls claims.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_MULTIHEAD: Final = "torch.nn.MultiheadAttention"
_FORWARD: Final = "torch.nn.functional.multi_head_attention_forward"
_PRODUCT: Final = "torch.nn.functional.scaled_dot_product_attention"

MADE_OF: Final = {
    "torch.nn.TransformerEncoderLayer": _MULTIHEAD,
    "torch.nn.TransformerDecoderLayer": _MULTIHEAD,
    "torch.nn.Transformer": _MULTIHEAD,
}
"""What the library makes out of something, and has no other use for than to call it."""

INTERNAL: Final = {
    _MULTIHEAD: ("_native_multi_head_attention", "_transformer_encoder_layer_fwd"),
    _FORWARD: ("_native_multi_head_attention", "_transformer_encoder_layer_fwd"),
    _PRODUCT: ("_flash_attention_forward", "_efficient_attention_forward", "_safe_softmax"),
}
"""Internal names that are not made of the public one's words. Nothing else calls these."""


def forbidden_name(dotted: str, forbid: Iterable[str]) -> str | None:
    """The forbidden function that a dotted name is, or is made of, in words for people; None when it is none."""
    forbid = tuple(forbid)
    for name in forbid:
        parent, _, last = name.rpartition(".")
        package, component = name.partition(".")[0], dotted.rpartition(".")[2]
        if dotted == name or (dotted.startswith(f"{parent}.modules.") and component == last):
            return name
        internal = dotted.startswith((f"{package}.ops.", f"{package}._C.")) or component.startswith("_")
        if dotted.startswith(f"{package}.") and internal and is_form_of(component, name):
            return name
    for outer, inner in MADE_OF.items():
        if inner in forbid and forbidden_name(dotted, (outer,)):
            return f"{inner} (inside {outer})"
    return None


def is_form_of(component: str, name: str) -> bool:
    """Whether an internal name is that of `name`: `_scaled_dot_product_flash_attention` is one of the public one's."""
    last = name.rpartition(".")[2]
    words, wanted = component.strip("_").split("_"), last.split("_")
    rest = iter(words)
    same_words = words[0] == wanted[0] and all(word in rest for word in wanted)
    return (same_words if component.startswith("_") else component == last) or component in INTERNAL.get(name, ())
