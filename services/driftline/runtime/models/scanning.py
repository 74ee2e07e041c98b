"""What would a pickle do? Its operations one by one, on a stack of kinds instead of values.

Nothing is built here. Refused is whatever the pickler never writes: other operations (memo slots by
number, buffers and long integers whose size is a mere claim), names that are not in the list, calls
of anything that is not meant to be called, state for a class instead of an instance, and tuples
that unfold into far more than they are (hashing one would take for ever).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from driftline.runtime.models.names import NAMES, STATEFUL_CALLS

MAX_TUPLE: Final = 10_000  # values in a tuple and all tuples within
MAX_FRAME: Final = 256 << 10  # bytes that are read in one go; the pickler ends a frame at 64 kB
Name = tuple[str, str]


class SuspiciousPickleError(ValueError):
    """A pickle does what no model needs; the message says what, and at which byte."""


@dataclass(frozen=True, slots=True)
class Global:
    """A name on the stack."""

    name: Name


Built = Literal["empty", "done"]  # an instance that awaits its state; one that is complete


@dataclass(frozen=True, slots=True)
class _Constant:
    """A string, which may become a name."""

    text: str


Entry = int | _Constant | Global | Built  # a number: how many values something unfolds into


@dataclass(slots=True)
class _Scan:
    data: bytes
    at: int = 0
    stack: list[Entry] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: list[Entry] = field(default_factory=list)

    def run(self) -> None:
        while (operation := self.number(1)) != STOP:
            if (handler := HANDLERS.get(operation)) is None:
                raise self.refused(f"operation {operation:#04x} is never written for a model")
            handler(self)
        if self.at != len(self.data) or len(self.stack) != 1 or self.marks:
            raise self.refused("it does not end where it should")

    def refused(self, what: str) -> SuspiciousPickleError:
        return SuspiciousPickleError(f"{what} (byte {self.at})")

    def take(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise self.refused(f"it claims {length} bytes that are not there")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def pop(self) -> Entry:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.refused("its stack is empty")
        return self.stack.pop()

    def popped_to_mark(self) -> list[Entry]:
        if not self.marks:
            raise self.refused("it has no mark")
        start = self.marks.pop()
        popped = self.stack[start:]
        del self.stack[start:]
        return popped

    # What the operations do.

    def frame(self) -> None:
        if self.number(8) > min(MAX_FRAME, len(self.data) - self.at):
            raise self.refused("a frame is longer than the rest, or than any that is written")

    def protocol(self) -> None:
        if self.number(1) != 5 or self.at != 2:
            raise self.refused("it is not of protocol 5")

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def memoize(self) -> None:
        self.memo.append(self.top())

    def top(self) -> Entry:
        if not self.stack:
            raise self.refused("its stack is empty")
        return self.stack[-1]

    def recall(self, index: int) -> None:
        if index >= len(self.memo):
            raise self.refused("it recalls what it never kept")
        self.stack.append(self.memo[index])

    def recall_near(self) -> None:
        self.recall(self.number(1))

    def recall_far(self) -> None:
        self.recall(self.number(4))

    def text(self, prefix: int) -> None:
        raw = self.take(self.number(prefix))
        try:
            self.stack.append(_Constant(raw.decode("utf-8", "surrogatepass")))
        except UnicodeDecodeError:
            raise self.refused("a string is not UTF-8") from None

    def short_text(self) -> None:
        self.text(1)

    def long_text(self) -> None:
        self.text(4)

    def name(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, _Constant) or not isinstance(module, _Constant):
            raise self.refused("a name is not made of two strings")
        if (module.text, name.text) not in NAMES:
            raise self.refused(f"no model needs {module.text}.{name.text}")
        self.stack.append(Global((module.text, name.text)))

    def new(self) -> None:
        self.pop()
        self._made(self.pop(), "new")
        self.stack.append("empty")

    def reduce(self) -> None:
        self.pop()
        name = self._made(self.pop(), "call")
        self.stack.append("empty" if name in STATEFUL_CALLS else "done")

    def _made(self, maker: Entry, use: str) -> Name:
        if not isinstance(maker, Global) or NAMES[maker.name] != use:
            raise self.refused("it calls what is not there to be called")
        return maker.name

    def build(self) -> None:
        self.pop()
        if self.top() != "empty":
            raise self.refused("it gives state to what is no new instance")
        # Recalls of the same instance still count as empty: state may be given twice, to no avail.

    def append(self) -> None:
        self.pop()
        self._filled()

    def appends(self) -> None:
        self.popped_to_mark()
        self._filled()

    def set_item(self) -> None:
        self.pop()
        self.append()

    def _filled(self) -> None:
        if isinstance(self.top(), Global | _Constant):
            raise self.refused("it fills what is no container")

    def tuple_of(self, items: list[Entry]) -> None:
        size = 1 + sum(item if isinstance(item, int) else 1 for item in items)
        if size > MAX_TUPLE:
            raise self.refused("a tuple unfolds into too many values")
        self.stack.append(size)

    def tuple_to_mark(self) -> None:
        self.tuple_of(self.popped_to_mark())

    def tuple_1(self) -> None:
        self.tuple_of([self.pop()])

    def tuple_2(self) -> None:
        self.tuple_of([self.pop(), self.pop()])

    def tuple_3(self) -> None:
        self.tuple_of([self.pop(), self.pop(), self.pop()])


def scan(payload: bytes) -> None:
    """Raise SuspiciousPickleError unless these are bytes that the pickler may have written."""
    _Scan(payload).run()


def _constant(length: int) -> Callable[[_Scan], None]:
    """A value of so many bytes."""

    def handler(self: _Scan) -> None:
        if self.at + length > len(self.data):
            raise self.refused("it is cut off")
        self.at += length
        self.stack.append(1)

    return handler


def _counted(prefix: int) -> Callable[[_Scan], None]:
    """A value that says how many bytes it has."""

    def handler(self: _Scan) -> None:
        self.take(self.number(prefix))
        self.stack.append(1)

    return handler


STOP: Final = ord(".")
HANDLERS: Final[dict[int, Callable[[_Scan], None]]] = {
    0x80: _Scan.protocol,
    0x95: _Scan.frame,
    ord("("): _Scan.mark,
    0x94: _Scan.memoize,
    ord("h"): _Scan.recall_near,
    ord("j"): _Scan.recall_far,
    ord("N"): _constant(0),
    0x88: _constant(0),  # true
    0x89: _constant(0),  # false
    ord("K"): _constant(1),  # integers of 1, 2, 4 bytes, and counted ones
    ord("M"): _constant(2),
    ord("J"): _constant(4),
    0x8A: _counted(1),
    ord("G"): _constant(8),  # float
    0x8C: _Scan.short_text,
    ord("X"): _Scan.long_text,
    ord("C"): _counted(1),  # bytes
    ord("B"): _counted(4),
    ord("}"): _constant(0),  # empty dict, list, set, tuple
    ord("]"): _constant(0),
    0x8F: _constant(0),
    ord(")"): _constant(0),
    ord("a"): _Scan.append,
    ord("e"): _Scan.appends,
    0x90: _Scan.appends,  # of a set
    ord("s"): _Scan.set_item,
    ord("u"): _Scan.appends,  # of a dict
    0x91: _Scan.tuple_to_mark,  # frozenset
    0x85: _Scan.tuple_1,
    0x86: _Scan.tuple_2,
    0x87: _Scan.tuple_3,
    ord("t"): _Scan.tuple_to_mark,
    0x93: _Scan.name,
    0x81: _Scan.new,
    ord("R"): _Scan.reduce,
    ord("b"): _Scan.build,
}
