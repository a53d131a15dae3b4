"""Binds a contract's arguments to whatever signature a student wrote.

    contract   embed_dim, num_heads, dropout=0.0           x, mask=None
    student    (hidden_size, heads, *, p=0.1)              forward(query, key, value, attn_mask)

Names decide where they can (exact, then synonyms), order decides the rest. A parameter that has a default and means
nothing to the contract keeps its default. Everything here is pure: signatures in, a plan out.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from grader import wire
from grader.checks.faults import WrongResult
from grader.text import clean


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SYNONYMS: Final[dict[str, frozenset[str]]] = {
    "embed_dim": _words(
        "embed_dim embed_size embedding_dim embedding_size embeddim emb_dim emb_size emb embed d_model dmodel model_dim"
        " hidden_dim hidden_size hidden d_hidden dim d_in in_dim input_dim in_features input_size d_embed n_embd"
        " n_embed features width channels size d embed_dimension embedding_dimension model_size dim_model dimension d_e"
    ),
    "num_heads": _words(
        "num_heads heads n_heads n_head nhead nheads num_head head number_of_heads num_attention_heads h"
        " head_count heads_num attention_heads n_attention_heads"
    ),
    "dropout": _words(
        "dropout p drop dropout_p dropout_rate dropout_prob attn_dropout attention_dropout attn_drop drop_rate"
        " drop_prob attn_pdrop p_dropout p_drop dropout_probability attention_dropout_prob rate"
    ),
    "x": _words(
        "x input inputs x_in inp tokens embeddings embedding hidden_states hidden features seq sequence emb data src"
        " sentence token_embeddings input_tensor tensor batch xs inputs_embeds h states"
    ),
    "query": _words("query queries q q_in query_input x_q xq"),
    "key": _words("key keys k k_in key_input x_k xk"),
    "value": _words("value values v v_in value_input x_v xv"),
    "mask": _words(
        "mask attn_mask attention_mask masks src_mask padding_mask pad_mask causal_mask key_padding_mask m valid_mask"
        " mask_tensor attn_bias allowed visible may_attend"
    ),
}
"""What students call the contract's arguments."""

OUTPUT_WIDTH: Final = frozenset(
    ["d_out", "out_dim", "output_dim", "out_features", "d_v", "d_k", "dim_out", "output_size", "d_value", "d_key"]
)
"""Further widths that a constructor may ask for: all of them are the embedding's in these contracts."""

LENGTHS: Final = _words(
    "context_length context_len max_len max_length max_seq_len max_seq_length seq_len seq_length sequence_length seqlen"
    " block_size n_positions max_positions max_position_embeddings"
)
LONG_ENOUGH: Final = 64
"""A constructor that wants to know the longest sequence is told this; no check uses a longer one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which student parameter receives which contract argument.

    Attributes:
        positional: contract names, in the order of the student's positional parameters.
        keyword: student's keyword -> contract name.
        missing: contract arguments that no parameter takes.
        renamed: (contract name, student's name) where they differ.
        invented: student's keywords that the contract knows nothing of, all of them lengths, which get `LONG_ENOUGH`.
        defaults: what the contract says of arguments that need not be given, but that the student demands.
    """

    positional: tuple[str, ...]
    keyword: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    invented: tuple[str, ...] = ()
    defaults: tuple[tuple[str, wire.Value], ...] = ()

    def arguments(self, values: dict[str, wire.Value]) -> tuple[tuple[wire.Value, ...], dict[str, wire.Value]]:
        """Positional and keyword arguments for these contract values. Values the plan has no place for are left out,
        and so are trailing ones that were not given."""
        values = {**dict(self.defaults), **values}
        args: list[wire.Value] = []
        kwargs = {name: values[wanted] for name, wanted in self.keyword if wanted in values}
        kwargs.update(dict.fromkeys(self.invented, LONG_ENOUGH))
        for wanted in self.positional:
            if wanted not in values:
                break
            args.append(values[wanted])
        return tuple(args), kwargs


def plan_construct(signature: tuple[wire.Parameter, ...], contract: str) -> Plan:
    """Bind a constructor to a contract's `construct`. Raises `WrongResult` when it demands something else."""
    widths = OUTPUT_WIDTH | SYNONYMS["embed_dim"]
    return _plan(signature, contract, extra=dict.fromkeys(widths, "embed_dim"), what="constructor")


def plan_call(signature: tuple[wire.Parameter, ...], contract: str) -> Plan:
    """Bind `forward` to a contract's `call`. In self-attention a student's query, key and value are all its `x`."""
    extra = {name: "x" for role in ("query", "key", "value") for name in SYNONYMS[role]}
    return _plan(signature, contract, extra=extra, what="forward")


def _plan(signature: tuple[wire.Parameter, ...], contract: str, *, extra: dict[str, str], what: str) -> Plan:
    wanted, known = contract_names(contract), contract_defaults(contract)
    named = [parameter for parameter in signature if parameter.kind not in ("args", "kwargs")]
    by_name = _by_name(named, wanted, extra)
    meaning = {**by_name}
    open_ends = {parameter.kind for parameter in signature}
    left = [name for name in wanted if name not in meaning.values()]
    invented = tuple(each.name for each in named if each.required and each.name.lower() in LENGTHS)
    for parameter in named:
        if parameter.name in meaning or parameter.name in invented or not parameter.required:
            continue
        if not left:
            raise WrongResult(
                f"The {what} demands an argument {clean(parameter.name, limit=60)!r} that is not in the contract;"
                " give it a default value."
            )
        meaning[parameter.name] = left.pop(0)
    positional, keyword = _lay_out(named, meaning)
    if "args" in open_ends and not named:
        positional, left = tuple(wanted), []
    elif "kwargs" in open_ends:
        keyword += [(name, name) for name in left]
        left = []
    renamed = tuple((wish, name) for name, wish in meaning.items() if name != wish)
    demanded = {by_name[parameter.name] for parameter in named if parameter.required and parameter.name in by_name}
    defaults = tuple((name, known[name]) for name in sorted(demanded & known.keys()))
    return Plan(positional, tuple(keyword), tuple(left), renamed, invented, defaults)


def _by_name(named: list[wire.Parameter], wanted: tuple[str, ...], extra: dict[str, str]) -> dict[str, str]:
    """Student name -> contract name, wherever the name says it: exact names first, then synonyms, then extras."""
    meaning: dict[str, str] = {}
    for parameter in named:
        if parameter.name in wanted:
            meaning[parameter.name] = parameter.name
    for parameter in named:
        for wish in wanted:
            if parameter.name not in meaning and wish not in meaning.values() and _means(parameter.name, wish):
                meaning[parameter.name] = wish
    for parameter in named:
        wish = extra.get(parameter.name.lower().strip("_"), "")
        if parameter.name not in meaning and wish in wanted and parameter.required:
            meaning[parameter.name] = wish
    return meaning


def _means(name: str, wish: str) -> bool:
    return name.lower().strip("_") in SYNONYMS.get(wish, frozenset((wish,)))


def _lay_out(named: list[wire.Parameter], meaning: dict[str, str]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Required positional parameters by position as long as nothing is skipped, all others by keyword."""
    positional: list[str] = []
    keyword: list[tuple[str, str]] = []
    unbroken = True
    for parameter in named:
        wish = meaning.get(parameter.name)
        if wish is None:
            unbroken = False
        elif parameter.kind == "keyword" or (parameter.kind == "either" and (not unbroken or not parameter.required)):
            keyword.append((parameter.name, wish))
        elif unbroken:
            positional.append(wish)
    return tuple(positional), keyword


@cache
def contract_names(parameters: str) -> tuple[str, ...]:
    """The argument names of a contract written in Python's syntax: `"x, mask=None"` -> `("x", "mask")`."""
    arguments = _parsed(parameters)
    return tuple(each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))


@cache
def contract_defaults(parameters: str) -> Mapping[str, wire.Value]:
    """The arguments of a contract that need not be given, and what they are then: `"x, mask=None"` ->
    `{"mask": None}`."""
    arguments = _parsed(parameters)
    placed = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(placed[len(placed) - len(arguments.defaults) :], arguments.defaults, strict=True)]
    pairs += [(each, value) for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    known = {each.arg: value.value for each, value in pairs if isinstance(value, ast.Constant)}
    return MappingProxyType(
        {name: value for name, value in known.items() if value is None or isinstance(value, bool | int | float | str)}
    )


def _parsed(parameters: str) -> ast.arguments:
    function = ast.parse(f"def f({parameters}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    return function.args
