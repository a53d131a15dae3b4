"""The mathematics without a mask."""

from grader.checks import check, properties

EMBED, HEADS = 24, 4


@check(points=0.5, concept="attention", after="test_output_is_finite")
def test_tokens_meet(student, draw):
    """A token's output depends on the other tokens of its sequence."""
    properties.tokens_meet(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=1, concept="softmax", hidden=True, after="test_tokens_meet")
def test_weights_sum_to_one(student, draw):
    """For every query, the attention weights over the keys sum to one."""
    properties.weights_sum_to_one(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.25, concept="softmax", hidden=True, after="test_weights_sum_to_one")
def test_large_scores_stay_finite(student, draw):
    """Very large scores do not overflow."""
    properties.large_scores_stay_finite(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=2, concept="attention", hidden=True, after=("test_tokens_meet", "test_attention_is_written_out"))
def test_matches_the_reference(student, draw):
    """Without a mask, the output is that of multi-head self-attention with the same weights."""
    properties.matches_the_reference(student(embed_dim=EMBED, num_heads=HEADS), draw, batch=3, seq=5)


@check(points=1.5, concept="scaling", hidden=True, after="test_matches_the_reference")
def test_scores_are_scaled(student):
    """The scores are divided by the square root of one head's width."""
    properties.scores_are_scaled(student(embed_dim=EMBED, num_heads=HEADS))


@check(points=0.5, concept="batch", hidden=True, after="test_tokens_meet")
def test_samples_do_not_mix(student, draw):
    """Each sample of a batch gets the output it would get alone."""
    properties.samples_do_not_mix(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.5, concept="attention", hidden=True, after="test_tokens_meet")
def test_order_does_not_matter(student, draw):
    """Without a mask, reordering the tokens reorders the outputs in the same way."""
    properties.order_does_not_matter(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.5, concept="heads", hidden=True, after="test_tokens_meet")
def test_number_of_heads_matters(student, draw):
    """The same weights, shared by another number of heads, give another output."""
    one, four = (student(embed_dim=EMBED, num_heads=heads) for heads in (1, HEADS))
    properties.number_of_heads_matters(one, four, draw)


@check(points=0.5, concept="output projection", hidden=True, after="test_matches_the_reference")
def test_output_projection(student):
    """The concatenated heads pass through an output projection."""
    properties.has_an_output_projection(student(embed_dim=EMBED, num_heads=HEADS))
