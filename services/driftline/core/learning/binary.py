"""How does a model that knows true and false only learn two classes that have names?"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

TRUE_WORDS: Final = frozenset({"true", "1", "yes"})


class OnlineModel(Protocol):
    """What a pipeline offers, whoever made it."""

    def learn_one(self, x: dict[str, Any], y: Any) -> object:
        """Learn one event."""
        ...

    def predict_one(self, x: dict[str, Any]) -> Any:
        """The prediction, or None as long as there is none."""
        ...


def class_of(model: OnlineModel, features: dict[str, Any]) -> str | None:
    """The class that a classifier predicts; None where it has none, or fails."""
    try:
        prediction = model.predict_one(features)
    except Exception:  # noqa: BLE001 - a model that fails at a row has no prediction for it
        return None
    return None if prediction is None else str(prediction)


@dataclass(slots=True)
class BinaryLabels:
    """The first class that is learned stands for false, unless it is spelled true, 1 or yes; the
    second for the other. A third one is not learned. Before it has learned, it predicts nothing.
    """

    model: Any
    false: str | None = None
    true: str | None = None

    def learn_one(self, x: dict[str, Any], y: str) -> None:
        if y != self.false and y != self.true and not self._admit(y):
            return
        self.model.learn_one(x, y == self.true)

    def predict_one(self, x: dict[str, Any]) -> str | None:
        return self.true if self.model.predict_one(x) else self.false

    def predict_proba_one(self, x: dict[str, Any]) -> dict[str, float]:
        """Probabilities of the classes that were learned."""
        chances = self.model.predict_proba_one(x)
        named = ((self.false, chances.get(False, 0.0)), (self.true, chances.get(True, 0.0)))
        return {name: chance for name, chance in named if name is not None}

    def _admit(self, name: str) -> bool:
        is_first = self.false is None and self.true is None
        if self.true is None and (not is_first or name.lower() in TRUE_WORDS):
            self.true = name
        elif self.false is None:
            self.false = name
        else:
            return False
        return True
