# Stands where the checks stand in an assignment.
def test_matches_the_reference():
    pass
