"""Building the module."""

from grader.checks import check, require


@check(points=0.25, concept="construction")
def test_builds(student):
    """The module can be built from an embedding width."""
    student.as_built(embed_dim=24)


@check(points=0.25, concept="construction", after="test_builds")
def test_asks_for_nothing_else(student):
    """The constructor needs no arguments beyond those of the contract."""
    extra = student.extra_arguments
    message = f"The constructor demands {' and '.join(extra)}, which the contract does not give."
    require(not extra, message, finding="extra-required-argument")
