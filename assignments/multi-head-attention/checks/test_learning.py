"""Parameters, gradients and dropout."""

from grader.checks import check, properties, require

EMBED, HEADS = 24, 4


@check(points=0.5, concept="parameters", after="test_builds")
def test_parameters_are_registered(student):
    """Everything the module learns is found by parameters(), so that an optimiser can train it."""
    properties.parameters_are_registered(student.as_built(embed_dim=EMBED, num_heads=HEADS))


@check(points=0.5, concept="parameters", hidden=True, after="test_output_shape")
def test_parameter_count(student):
    """Query, key, value and output projections have as many weights as the contract implies."""
    values = student(embed_dim=EMBED, num_heads=HEADS).values.values()
    count, weights, biases = sum(value.numel() for value in values), 4 * EMBED * EMBED, 4 * EMBED
    require(
        weights <= count <= weights + biases,
        f"With embed_dim={EMBED} and num_heads={HEADS} the module learns {count} numbers; the contract implies"
        f" {weights} for the four projections, and up to {biases} more for their biases.",
    )


@check(points=1, concept="gradients", hidden=True, after="test_output_is_finite")
def test_gradients_reach_every_parameter(student, draw):
    """Training can change every parameter: each one receives a gradient."""
    properties.gradients_reach_every_parameter(student(embed_dim=EMBED, num_heads=HEADS), draw)


@check(points=1, concept="dropout", hidden=True, after="test_matches_the_reference")
def test_dropout_acts_on_the_attention_weights(student, draw):
    """In train mode, dropout removes attention weights, scales up the rest, and touches nothing else."""
    attention = student(embed_dim=EMBED, num_heads=HEADS, dropout=0.3)
    properties.dropout_acts_on_the_attention_weights(attention, draw, rate=0.3)
    properties.drops_nothing_unless_asked(student(embed_dim=EMBED, num_heads=HEADS), draw)
