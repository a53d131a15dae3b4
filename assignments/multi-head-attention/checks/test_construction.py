"""Building the module."""

from grader.checks import Raised, check, fail, require


@check(points=0.25, concept="construction")
def test_builds(student):
    """The module can be built from an embedding width and a number of heads."""
    student.as_built(embed_dim=24, num_heads=4)


@check(points=0.5, concept="construction", hidden=True, after="test_builds")
def test_rejects_indivisible_sizes(student, draw):
    """A width that the heads cannot share evenly is rejected when the module is built."""
    for embed_dim, num_heads in (draw.indivisible(), draw.indivisible()):
        try:
            student.as_built(embed_dim=embed_dim, num_heads=num_heads)
        except Raised:
            continue
        sizes = f"embed_dim={embed_dim} and num_heads={num_heads}"
        fail(f"A module with {sizes} was built; it should raise an exception.", finding="indivisible-heads-accepted")


@check(points=0.25, concept="construction", after="test_builds")
def test_asks_for_nothing_else(student):
    """The constructor needs no arguments beyond those of the contract."""
    extra = student.extra_arguments
    message = f"The constructor demands {' and '.join(extra)}, which the contract does not give."
    require(not extra, message, finding="extra-required-argument")
