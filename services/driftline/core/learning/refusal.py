"""Why can a pipeline not be built, and where in the specification does it say so?"""

Step = str | int
Place = tuple[Step, ...]  # a path into the specification, for example pipelines, sm, 0, class


class PipelineRefusedError(ValueError):
    """A part of a specification that no model is built from: `place` is its path there, `reason`
    one sentence with the remedy."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"{'.'.join(map(str, place))}: {reason}")
        self.place = place
        self.reason = reason
