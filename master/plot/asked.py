"""What is to be drawn of a table: the columns, the form, and which axes are logarithmic."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from ..errors import UsageError
from ..record import record


class Form(StrEnum):
    """The forms of a plot."""

    DOTS = "dots"
    LINES = "lines"
    HISTOGRAM = "histogram"
    HEAT = "heat"


#: What each form shows, for people.
FORMS = {
    Form.DOTS: "a dot for each set",
    Form.LINES: "lines of means",
    Form.HISTOGRAM: "histogram",
    Form.HEAT: "heat map",
}


@record
class Asked:
    """What is to be drawn. `by`: the column that gives the colour, "" for none.

    A histogram is one of `y`. A heat map has `x` and `y` as its axes, and the mean of `by` as the
    colour of each cell; without `by`, the number of sets.
    """

    y: str
    x: str = ""
    by: str = ""
    form: Form = Form.DOTS
    log_x: bool = False
    log_y: bool = False

    @property
    def names(self) -> list[str]:
        """Return the columns that are read, each once."""
        x = "" if self.form is Form.HISTOGRAM else self.x
        return list(dict.fromkeys(one for one in (x, self.y, self.by) if one))

    @property
    def title(self) -> str:
        """Return the plot in words, such as `energy over x, by mesh`."""
        if self.form is Form.HISTOGRAM:
            found = f"histogram of {self.y}"
        elif self.form is Form.HEAT:
            shown = f"mean of {self.by}" if self.by else "number of sets"
            return f"{shown} at {self.x} and {self.y}"
        else:
            shown = "mean of " if self.form is Form.LINES else ""
            found = f"{shown}{self.y} over {self.x}"
        return f"{found}, by {self.by}" if self.by else found


def check(asked: Asked, names: Collection[str]) -> None:
    """Raise UsageError for a column that the table does not have."""
    for name in asked.names:
        if name not in names:
            todo = f"There are: {', '.join(names)}."
            raise UsageError(f"there is no column {name}", todo=todo)
