"""Precision, devices, and doing the work oneself."""

from grader.checks import check, fail, properties

EMBED = 24


@check(points=0.25, concept="dtype", hidden=True, after=("test_output_shape", "test_parameters_are_registered"))
def test_precision_follows_the_input(student, draw):
    """A module and an input in double precision give an output in double precision."""
    properties.precision_follows_the_input(student.as_built(embed_dim=EMBED), draw)


@check(points=0.25, concept="device", hidden=True, after=("test_output_shape", "test_parameters_are_registered"))
def test_device_follows_the_input(student):
    """The module works on whatever device it is moved to."""
    properties.device_follows_the_input(student.as_built(embed_dim=EMBED))


@check(points=0.5, concept="own work", after="test_builds")
def test_attention_is_written_out(policy_hits):
    """The attention is written out, not taken ready-made from the library."""
    for hit in policy_hits:
        where = f"of cell {hit.where.cell} of {hit.where.file}" if hit.where.cell else f"of {hit.where.file}"
        message = f"Line {hit.where.line} {where} uses {hit.name}, which this assignment asks you to write."
        fail(message, finding="forbidden-api")
