"""The mathematics without a mask."""

from grader.checks import check, properties

EMBED = 24


@check(points=0.5, concept="attention", after="test_output_is_finite")
def test_tokens_meet(student, draw):
    """A token's output depends on the other tokens of its sequence."""
    properties.tokens_meet(student(embed_dim=EMBED), draw)


@check(points=1, concept="softmax", hidden=True, after="test_tokens_meet")
def test_weights_sum_to_one(student, draw):
    """For every query, the attention weights over the keys sum to one."""
    properties.weights_sum_to_one(student(embed_dim=EMBED), draw)


@check(points=0.25, concept="softmax", hidden=True, after="test_weights_sum_to_one")
def test_large_scores_stay_finite(student, draw):
    """Very large scores do not overflow."""
    properties.large_scores_stay_finite(student(embed_dim=EMBED), draw)


@check(points=2.5, concept="attention", hidden=True, after=("test_tokens_meet", "test_attention_is_written_out"))
def test_matches_the_reference(student, draw):
    """Without a mask, the output is that of self-attention with the same weights."""
    properties.matches_the_reference(student(embed_dim=EMBED), draw, batch=3, seq=5)


@check(points=2, concept="scaling", hidden=True, after="test_matches_the_reference")
def test_scores_are_scaled(student):
    """The scores are divided by the square root of the width of a key."""
    properties.scores_are_scaled(student(embed_dim=EMBED))


@check(points=1, concept="batch", hidden=True, after="test_tokens_meet")
def test_samples_do_not_mix(student, draw):
    """Each sample of a batch gets the output it would get alone."""
    properties.samples_do_not_mix(student(embed_dim=EMBED), draw)


@check(points=0.5, concept="attention", hidden=True, after="test_tokens_meet")
def test_order_does_not_matter(student, draw):
    """Without a mask, reordering the tokens reorders the outputs in the same way."""
    properties.order_does_not_matter(student(embed_dim=EMBED), draw)
