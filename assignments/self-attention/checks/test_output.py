"""What comes back, before any number is looked at."""

from grader.checks import check, properties, require

EMBED = 24


@check(points=0.5, concept="output", after="test_builds")
def test_output_shape(student, draw):
    """The output has the shape of the input, for any batch size, sequence length and width."""
    attention = student(embed_dim=EMBED)
    for batch, seq in [(3, 5), (2, 9), (1, 5), (3, 1), (1, 1)]:
        attention(draw.tokens(batch, seq, EMBED))
    student(embed_dim=15)(draw.tokens(2, 7, 15))


@check(points=1, concept="output", after="test_output_shape")
def test_takes_a_batch(student):
    """The module takes a whole batch at once: (batch, seq, embed), not only (seq, embed)."""
    attention = student(embed_dim=EMBED)
    message = "forward only works for a single sample of shape (seq, embed)."
    require(attention.batched, message, finding="unbatched-only")


@check(points=0.5, concept="output", after="test_output_shape")
def test_output_is_finite(student, draw):
    """Every number of the output is finite."""
    output = student(embed_dim=EMBED)(draw.tokens(3, 5, EMBED))
    require(bool(output.isfinite().all()), "The output contains NaN or infinite numbers.")


@check(points=0.25, concept="output", hidden=True, after="test_output_is_finite")
def test_other_lengths_after_a_first_call(student, draw):
    """One module serves sequences of different lengths, one after the other."""
    properties.lengths_do_not_stick(student(embed_dim=EMBED), draw)


@check(points=0.5, concept="repeatability", hidden=True, after="test_output_is_finite")
def test_repeatable_in_eval_mode(student, draw):
    """In eval mode the same input gives the same output, even when the module was built with dropout."""
    dropout = {"dropout": 0.5} if student.takes("dropout") else {}
    without, with_dropout = student(embed_dim=EMBED), student(embed_dim=EMBED, **dropout)
    properties.repeats_in_eval_mode(without, with_dropout, draw)


@check(points=0.5, concept="side effects", hidden=True, after="test_output_shape")
def test_inputs_are_left_alone(student, draw):
    """The module does not change the tensors it is given."""
    properties.leaves_inputs_alone(student(embed_dim=EMBED), draw)
