"""How is the accuracy of an error incident, 1 less the mean error, told to people?

Of classes it is the accuracy. Of numbers each error is a share of the scale, what 95 % of the first
200 did not exceed, and at most 1: told as the mean absolute error in the label's own unit, each
error counted up to the scale. Where those first 200 were exact there is no unit, and an error is
any miss.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """`scale` is None for classes."""

    scale: float | None = None

    @property
    def name(self) -> str:
        if self.scale is None:
            return "accuracy"
        return "mean absolute error" if self.scale else "the share of exact predictions"

    @property
    def worsened(self) -> str:
        """The verb of a figure that became worse."""
        return "rose" if self.scale else "fell"

    @property
    def errors_rose(self) -> str:
        """What happened, where the figure itself may not show it."""
        return "errors became larger" if self.scale else "errors became more frequent"

    @property
    def aside(self) -> str:
        """How the figure was counted, where its name does not say it."""
        return f", each error counted up to {_figure(self.scale)}" if self.scale else ""

    def figure(self, accuracy: float) -> float:
        """The number that is told."""
        return (1 - accuracy) * self.scale if self.scale else accuracy

    def allowance(self, margin: float) -> str:
        """By how much the figure may fall short and still be as it was."""
        if self.scale:
            return f"plus a margin of {_figure(margin * self.scale)}"
        return f"less a margin of {margin:g}"

    def text(self, accuracy: float) -> str:
        """The same, for a sentence."""
        return _figure(self.figure(accuracy)) if self.scale else f"{accuracy:.2f}"


def _figure(number: float) -> str:
    return f"{number:,.0f}" if 1_000 <= number < 1e9 else f"{number:.3g}"
