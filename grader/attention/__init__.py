"""Attention as mathematics: the reference, the roles of a student's parameters, and how far two outputs are apart."""

from grader.attention.comparison import TOLERANCE, relative_error
from grader.attention.diagnosis import Diagnosis, diagnose
from grader.attention.drawing import causal_mask, draw_mask, draw_tokens, draw_values, padding_mask
from grader.attention.dropout import kept_weights, with_kept
from grader.attention.findings import Named
from grader.attention.power import has_power
from grader.attention.reference import Weights, attention_weights, contributions, self_attention
from grader.attention.roles import Roles, find_roles
from grader.attention.scale import fit_scale, name_scale

__all__ = [
    "TOLERANCE",
    "Diagnosis",
    "Named",
    "Roles",
    "Weights",
    "attention_weights",
    "causal_mask",
    "contributions",
    "diagnose",
    "draw_mask",
    "draw_tokens",
    "draw_values",
    "find_roles",
    "fit_scale",
    "has_power",
    "kept_weights",
    "name_scale",
    "padding_mask",
    "relative_error",
    "self_attention",
    "with_kept",
]
