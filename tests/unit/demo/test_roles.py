"""Is Ctrl-C heard, wherever the demo is?"""

import os
import signal
from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic

import pytest

from driftline.demo import roles


@pytest.fixture
def another_thread() -> Iterator[None]:
    """As the demo has: the kernel gives it the signals that the main thread blocks."""
    over = Event()
    thread = Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("another_thread")
def test_ctrl_c_while_a_child_is_started_is_heard_afterwards() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with roles._signals_wait():
            os.kill(os.getpid(), signal.SIGINT)
            soon = monotonic() + 0.2
            while monotonic() < soon:
                assert heard == []
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
