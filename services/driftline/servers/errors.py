"""The one way in which the local servers refuse."""


class ServersError(Exception):
    """One sentence that says what is wrong with the local servers and how to mend it."""
