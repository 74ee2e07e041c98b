"""Which dead letters were sent again already, and what lies where because of that?

Beside a letter that is sent again a note is written: a record of `dead-letters` without a value,
whose headers name the refused record and its copy. It comes after the copy is acknowledged, so what
a crash leaves without a note is sent once more, and at once the joiner drops it as a repeat.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from driftline.cli.console import tracked
from driftline.cli.letters import Letter
from driftline.runtime.group_looks import GroupLooks, all_of
from driftline.runtime.log_reading import read_stretches
from driftline.runtime.ports import TP
from driftline.runtime.settings import Settings
from driftline_schemas.topics import DEAD_LETTERS

# Headers; each names a record as topic/partition/offset.
FROM: Final = "driftline-resent-from"  # also of the copy itself
TO: Final = "driftline-resent-to"

Headers = list[tuple[str, str | bytes | None]]


@dataclass(slots=True)
class Resent:
    """Refused records and their copies."""

    _copies: dict[str, set[str]] = field(default_factory=dict)
    _every_copy: set[str] = field(default_factory=set)

    def note(self, headers: Mapping[str, object]) -> None:
        """Take in a note; what is none changes nothing."""
        origin, copy = headers.get(FROM), headers.get(TO)
        if isinstance(origin, bytes) and isinstance(copy, bytes):
            place = copy.decode(errors="replace")
            self._copies.setdefault(origin.decode(errors="replace"), set()).add(place)
            self._every_copy.add(place)

    def copies(self, letter: Letter) -> set[str]:
        """Where the letter's record was sent to again."""
        return self._copies.get(letter.origin, set())

    def is_copy(self, letter: Letter) -> bool:
        """Whether what was refused had been sent again itself."""
        return letter.origin in self._every_copy


def note_of(letter: Letter, copy: str) -> Headers:
    """The note's headers."""
    return [(FROM, letter.origin.encode()), (TO, copy.encode())]


def resent(settings: Settings) -> Resent:
    """All that the topic's notes tell, of the 30 days that it keeps."""
    groups = GroupLooks(settings.brokers, settings.topic_prefix)
    tps = all_of(DEAD_LETTERS, settings.topic_prefix)
    first, ends = groups.begins(tps), groups.ends(tps)
    with tracked("notes", sum(ends[tp] - first[tp] for tp in tps)) as advance:
        return resent_within(settings, {tp: (first[tp], ends[tp]) for tp in tps}, advance)


def resent_within(
    settings: Settings,
    stretches: Mapping[TP, tuple[int, int]],
    advance: Callable[[int], None] = lambda _records: None,
) -> Resent:
    """What the notes in these stretches tell."""
    found = Resent()
    for message in read_stretches(settings.brokers, stretches):
        advance(1)
        if message.value() is None:
            found.note(dict(message.headers() or []))
    return found
