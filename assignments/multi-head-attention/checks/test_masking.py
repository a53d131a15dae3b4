"""Masks: nonzero means may attend."""

from grader.checks import check, properties

EMBED, HEADS = 24, 4


@check(points=0.5, concept="masking", after="test_tokens_meet")
def test_accepts_a_mask(student, draw):
    """forward takes a mask of shape (batch, seq, seq) and still returns the input's shape."""
    student(embed_dim=EMBED, num_heads=HEADS)(draw.tokens(3, 5, EMBED), draw.causal_mask(3, 5))


@check(points=0.5, concept="masking", hidden=True, after="test_accepts_a_mask")
def test_padding_has_no_influence(student, draw):
    """What stands in masked positions does not change the outputs of the others."""
    properties.padding_has_no_influence(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.5, concept="masking", hidden=True, after="test_accepts_a_mask")
def test_future_has_no_influence(student, draw):
    """Under a causal mask, a token's output does not depend on later tokens."""
    properties.future_has_no_influence(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.5, concept="masking", hidden=True, after=("test_accepts_a_mask", "test_matches_the_reference"))
def test_causal_mask_matches_the_reference(student, draw):
    """With a causal mask, the output is that of masked multi-head self-attention."""
    properties.causal_mask_matches(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.5, concept="masking", hidden=True, after=("test_accepts_a_mask", "test_matches_the_reference"))
def test_padding_mask_matches_the_reference(student, draw):
    """With a padding mask, real tokens get the output of masked multi-head self-attention."""
    properties.padding_mask_matches(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=1, concept="masking", hidden=True, after=("test_accepts_a_mask", "test_matches_the_reference"))
def test_each_sample_has_its_own_mask(student, draw):
    """Every sample of a batch is masked by its own mask."""
    properties.each_sample_has_its_own_mask(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.5, concept="masking", hidden=True, after=("test_accepts_a_mask", "test_matches_the_reference"))
def test_masks_broadcast(student, draw):
    """A mask may also be (seq, seq), one for all samples, or (batch, 1, seq), one for all queries."""
    properties.masks_broadcast(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=0.5, concept="masking", hidden=True, after="test_accepts_a_mask")
def test_masks_of_any_dtype(student, draw):
    """A mask may hold booleans, whole numbers or floating ones."""
    properties.masks_of_any_dtype(student(embed_dim=EMBED, num_heads=HEADS), draw)
