"""What a load test may be told on its command line; argparse says the sentence of the error."""

from argparse import ArgumentTypeError


def whole(text: str) -> int:
    """A whole number from 1 up."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return number


def positive(text: str) -> float:
    """A number over 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text} is not a number over 0")
    return number
