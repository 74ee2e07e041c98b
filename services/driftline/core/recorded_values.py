"""What does the text of a recorded field mean, as a feature, a prediction or a label?"""

from typing import Final

from driftline_schemas.spec import FeatureKind, Task

TRUTH: Final = {"true": True, "false": False, "1": True, "0": False}


def feature_value(kind: FeatureKind, text: str) -> float | str | bool | None:
    """A field of a CSV file as a feature: empty is missing, what does not fit its kind stays text
    (and so counts as invalid)."""
    if text == "":
        return None
    if kind == "numeric":
        return _number(text)
    if kind == "boolean":
        return TRUTH.get(text.strip().lower(), text)
    return text


def output_value(task: Task, text: str) -> float | str:
    """A prediction or label from a CSV file: a number for regression, else a class."""
    if task == "regression":
        return _number(text)
    return text.lower() if text in ("True", "False", "TRUE", "FALSE") else text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
