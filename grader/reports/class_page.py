"""`index.html`: the class, for its instructor. It holds everything, hidden checks too.

Like every page it stands alone and loads nothing. One small script is inside, by its hash: it sorts the tables of
students and finds rows in them. Without it all of the page is there to read.
"""

from __future__ import annotations

from grader.model import Cohort
from grader.reports.class_views import class_view
from grader.reports.templating import Caps, fit, html
from grader.reports.wording import LITTLE_ISOLATION

INDEX = "index.html"

_FRAME = 180_000
_GRADE = 5_500


def render(cohort: Cohort) -> dict[str, bytes]:
    """The one file of this format."""
    return {INDEX: class_page(cohort)}


def budget(grades: int) -> int:
    """Bytes that the page of so many grades keeps to: for 500 of them it stays below 3 MB."""
    return _FRAME + _GRADE * grades


def class_page(cohort: Cohort) -> bytes:
    """The instructor's page: what needs a person, what changed, and for each assignment points, mistakes and checks."""
    view = class_view(cohort)
    little = bool(view.levels) and cohort.isolation.level in LITTLE_ISOLATION
    template = html().get_template("class.html")

    def draw(caps: Caps) -> str:
        return template.render(view=view, little=little, caps=caps)

    return fit(draw, budget(len(cohort.grades)))
