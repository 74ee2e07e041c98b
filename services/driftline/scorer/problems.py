"""A request that is not answered with a prediction: a status and one sentence."""

import orjson
from starlette.responses import Response


class Problem(Exception):  # noqa: N818 - an outcome, not a fault
    """`retry_after`: seconds after which it may be worth asking again."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after = retry_after

    def answer(self) -> Response:
        """As HTTP."""
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        body = orjson.dumps({"error": self.sentence})
        return Response(body, self.status, headers, media_type="application/json")
