"""What layers and variables are called: sources are written with placeholders such as `$query`, filled in here."""

from __future__ import annotations

import re

PLACES = (
    "query", "key", "value", "output", "qkv", "kv", "layers", "heads", "head", "drop", "rate", "scale", "norm",
    "soft", "num_heads", "head_dim", "embed_dim", "attend", "query_b", "key_b", "value_b", "output_b", "qkv_b",
    "Head", "q", "k", "v", "s", "w", "m", "h", "y", "o", "z", "c", "b", "t", "e", "i", "part", "qs", "ks", "vs",
    "parts", "first",
)  # fmt: skip

PLAIN = {place: place for place in PLACES} | {
    "drop": "dropout", "rate": "dropout_rate", "soft": "softmax", "attend": "attention", "Head": "AttentionHead",
    "query_b": "query_bias", "key_b": "key_bias", "value_b": "value_bias", "output_b": "output_bias",
    "qkv_b": "qkv_bias", "s": "scores", "w": "weights", "m": "hidden", "h": "mixed", "y": "result", "o": "projected",
    "z": "divided", "c": "allowed", "b": "batch", "t": "seq", "e": "embed", "qs": "queries", "ks": "keys",
    "vs": "values", "parts": "outputs", "first": "start",
}  # fmt: skip
PAPER = PLAIN | {
    "query": "W_q", "key": "W_k", "value": "W_v", "output": "W_o", "qkv": "W_qkv", "kv": "W_kv",
    "query_b": "b_q", "key_b": "b_k", "value_b": "b_v", "output_b": "b_o", "qkv_b": "b_qkv", "num_heads": "h",
    "head_dim": "d_k", "embed_dim": "d_model", "q": "Q", "k": "K", "v": "V", "w": "A", "h": "Z", "b": "B", "t": "T",
    "e": "C", "attend": "scaled_dot_product", "Head": "Head",
}  # fmt: skip
LONG = PLAIN | {
    "query": "query_projection", "key": "key_projection", "value": "value_projection", "output": "output_projection",
    "qkv": "combined_projection", "kv": "key_value_projection", "heads": "attention_heads", "head": "attention_head",
    "q": "query_vectors", "k": "key_vectors", "v": "value_vectors", "s": "attention_scores", "w": "attention_weights",
    "h": "context", "y": "context_vector", "b": "batch_size", "t": "sequence_length", "e": "hidden_size",
}  # fmt: skip


def _numbered(prefix: str) -> dict[str, str]:
    """Names that say nothing: one letter and a number, in an order that has no meaning."""
    return {place: f"{prefix}{(7 * number) % 101}" for number, place in enumerate(PLACES)} | {"Head": "Part"}


NAMINGS: dict[str, dict[str, str]] = {
    "plain": PLAIN,
    "paper": PAPER,
    "long": LONG,
    "mute": PLAIN
    | dict(zip(("query", "key", "value", "output", "qkv", "kv", "layers", "heads"), "dacbfghl", strict=True))
    | {"query_b": "r", "key_b": "p", "value_b": "s", "output_b": "u", "qkv_b": "n", "Head": "Block", "head": "block"}
    | dict(zip(("q", "k", "v", "s", "w", "h", "y"), ("t1", "t2", "t3", "t4", "t5", "t6", "t7"), strict=True)),
    "numbered": _numbered("n"),
}


def named(source: str, naming: str) -> str:
    """The source with every `$place` replaced by its name."""
    table = NAMINGS[naming]
    return re.sub(r"\$(\w+)", lambda found: table[found[1]], source)
