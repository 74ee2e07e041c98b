"""Does a follower give each fact once, whatever happens between two looks?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from driftline.core.fact_chain import BrokenChainError
from driftline.runtime import registry_follower, registry_log
from driftline.runtime.ports import StoreUnavailableError
from driftline.runtime.registry_follower import RegistryFollower
from driftline.runtime.registry_log import read_installation
from driftline_schemas.registry import Fact
from tests.unit.core.registry.book import INSTALLATION, Book, running


@dataclass
class Message:
    """A record, as the client gives it."""

    at: int
    raw: bytes

    def value(self) -> bytes:
        return self.raw

    def offset(self) -> int:
        return self.at

    def error(self) -> None:
        return None


@dataclass
class Log:
    """The registry's partition; nothing comes once as many records were read as `breaks` says."""

    records: list[bytes]
    breaks: int | None = None
    read: int = 0
    closed: bool = False

    def assign(self, partitions: Any) -> None:
        pass

    def get_watermark_offsets(self, _partition: Any, timeout: float) -> tuple[int, int]:
        return 0, len(self.records)

    def poll(self, _seconds: float) -> Message | None:
        if self.read == self.breaks:
            self.breaks = None
            return None
        self.read += 1
        return Message(self.read - 1, self.records[self.read - 1])

    def close(self) -> None:
        self.closed = True


@dataclass
class Followed:
    """A follower of a log in memory."""

    log: Log
    follower: RegistryFollower


Follow = Callable[..., Followed]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Follow:
    def made(book: Book, breaks: int | None = None, action: str | None = None) -> Followed:
        log = Log(list(book.records), breaks)
        monkeypatch.setattr(registry_follower, "Consumer", lambda *_, **__: log)
        return Followed(log, RegistryFollower("b:1", "p", action))

    return made


def test_each_look_gives_what_is_new(follow: Follow) -> None:
    book = running()
    followed = follow(book)
    assert followed.follower.read() == book.facts
    assert followed.follower.read() == []
    book.accepted("hold", {"model": "churn"})
    followed.log.records.append(book.records[-1])
    assert followed.follower.read() == book.facts[-1:]


@pytest.mark.parametrize("breaks", range(4))
def test_a_look_that_fails_halfway_loses_nothing(follow: Follow, breaks: int) -> None:
    book = running()
    followed = follow(book, breaks)
    with pytest.raises(StoreUnavailableError):
        followed.follower.read()
    assert followed.follower.read() == book.facts


def test_only_what_is_wanted_is_given_and_all_is_checked(follow: Follow) -> None:
    book = running()
    assert follow(book, action="apply_spec").follower.read() == [book.facts[1]]
    book.records[3] = book.records[3].replace(b"because", b"becuase")
    with pytest.raises(BrokenChainError, match="fact 3 was changed"):
        follow(book, action="apply_spec").follower.read()


def test_one_by_one_they_come_before_the_rest_is_read(follow: Follow) -> None:
    book = running()
    followed = follow(book, breaks=2)
    facts, seen = followed.follower.iterate(), list[Fact]()
    for number in (1, 2):
        seen.append(next(facts))
        assert followed.log.read == number
    with pytest.raises(StoreUnavailableError):
        next(facts)
    assert seen == book.facts[:2]
    assert list(followed.follower.iterate()) == book.facts[2:]


def test_what_all_agreed_on_is_read_without_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    book, read, closed = running(), list[bytes](), list[bool]()

    def records(*_: Any) -> Iterator[bytes]:
        try:
            for raw in book.records:
                read.append(raw)
                yield raw
        finally:
            closed.append(True)

    monkeypatch.setattr(registry_log, "_read_to_end", records)
    assert read_installation("b:1", "p") == INSTALLATION
    assert (len(read), closed) == (1, [True])
    book.records.clear()
    assert read_installation("b:1", "p") is None
