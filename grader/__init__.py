"""An automated grader for attention exercises: verdicts that cannot be forged, feedback that names the mistake."""

__version__ = "0.1.0"
