"""Tests of multi-head attention as an instructor would write them. `naive.py` hands them to a plain pytest."""

import torch
from attention import MultiHeadSelfAttention
from solution import MultiHeadSelfAttention as Reference

BATCH, SEQ, EMBED, HEADS = 3, 5, 16, 4


def pair(embed_dim=EMBED):
    """The student's module and the reference, with the same weights."""
    torch.manual_seed(7)
    student, reference = MultiHeadSelfAttention(embed_dim, HEADS), Reference(embed_dim, HEADS)
    weights = [tensor for _, tensor in sorted(reference.state_dict().items())]
    student.load_state_dict(dict(zip(sorted(student.state_dict()), weights, strict=True)))
    return student, reference


def test_output_shape():
    assert MultiHeadSelfAttention(EMBED, HEADS)(torch.randn(BATCH, SEQ, EMBED)).shape == (BATCH, SEQ, EMBED)


def test_weights_sum_to_one():
    student, _ = pair()
    alone = student(torch.ones(1, 1, EMBED))
    assert torch.allclose(student(torch.ones(1, SEQ, EMBED)), alone.expand(1, SEQ, EMBED), atol=1e-6)


def test_equals_the_reference():
    student, reference = pair()
    x = torch.randn(BATCH, SEQ, EMBED)
    assert torch.allclose(student(x), reference(x), atol=1e-6)


def test_scores_are_scaled():
    student, reference = pair(64)
    x = 3 * torch.randn(BATCH, SEQ, 64)
    assert torch.allclose(student(x), reference(x), atol=1e-5)


def test_masked_tokens_have_no_influence():
    student, _ = pair()
    mask = torch.ones(BATCH, SEQ, SEQ)
    mask[:, :, -2:] = 0
    x = torch.randn(BATCH, SEQ, EMBED)
    y = x.clone()
    y[:, -2:] += 5
    assert torch.allclose(student(x, mask)[:, :-2], student(y, mask)[:, :-2], atol=1e-6)


def test_causal_mask():
    student, reference = pair()
    mask = torch.tril(torch.ones(SEQ, SEQ)).expand(BATCH, SEQ, SEQ)
    x = torch.randn(BATCH, SEQ, EMBED)
    assert torch.allclose(student(x, mask), reference(x, mask), atol=1e-6)


def test_gradients_reach_every_parameter():
    student, _ = pair()
    student(torch.randn(BATCH, SEQ, EMBED)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
