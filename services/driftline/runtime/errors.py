"""The error whose message is meant for a person: one sentence, no traceback."""


class DriftlineError(Exception):
    """Something that the reader can mend; the message says what is wrong and what to do."""
