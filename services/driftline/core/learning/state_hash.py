"""Is this state of a model that state? One sha256 over all that the model has learned.

A pickle cannot say: its bytes differ with the identity of strings, with the order of sets, and
with the unseeded generator that each Gaussian of River draws from the operating system and never
uses. Here an object is written as its class and its attributes, a container as its elements, a
float as its eight bytes. Sets and dicts are sorted by what is written for their keys: two runs may
differ in that order where nothing depends on it. What is met twice is a reference back to the
first time, so that shared parts and cycles count as such.

The hash is sha256 of `driftline state 1`, a line feed and W(model). W of a value is given by the
first row that fits; types are exact where not said otherwise, so a subclass is "anything else".
<n> is a decimal number: the value, or how many bytes, items or attributes follow. A qualified name
is W of the text "module.qualname".

    value                       W
    None, True, False           n, t, u
    int                         i<n>;
    float                       f, 8 bytes little endian; any NaN as 00 00 00 00 00 00 f8 7f
    str                         s<n>: and UTF-8, surrogates passed
    bytes                       b<n>: and the bytes
    tuple                       (<n>; and W of each item
    frozenset                   as a set
    class, function, builtin    name; and the qualified name; a class: one whose class is `type`
    met before                  &<n>; its number. All values from here down are numbered, from 0,
                                when W first meets them, before their parts
    list                        [<n>; and W of each item
    deque                       deque; W(maxlen), then as a list
    set                         set<n>; and its keys, sorted by their bytes. A key is one of None
                                to bytes, written so, or a tuple (subclasses too) of keys
    dict                        {<n>: and, sorted by the bytes of the keys, each key and W(value)
    OrderedDict                 ordered; and as a dict, but in its own order
    Counter                     counter; and as a dict
    defaultdict                 default; W(default_factory), then as a dict
    bound method                method; W(__func__.__qualname__), W(__self__)
    functools.partial           partial; (<n>; with W of func and each argument, keywords as a dict
    numpy array or scalar       array; W(dtype.str + str(shape)) and its bytes in C order
    EBSTNode                    tree; [<n>; and the tree's nodes in preorder, each W of the tuple
                                (att_val, estimator, has left child, has right child)
    class with a metaclass      name; and the qualified name
    of river._river_rust        object; the qualified name of its class, native<n>; and W of the n
                                parts of __reduce_ex__(4) after the first, an iterator as a list
    anything else               object; the qualified name of its class, <n>; and, sorted by name,
                                W(name) and W(value) of each attribute that is set, of __dict__
                                and of the slots of all its classes. But: a Gaussian is without
                                `_rng`; a random.Random has only `state`, its getstate(); a
                                subclass of dict, list or set has one more, `<elements>`, a dict
                                (of a set: a list) of them

"As a dict" and "as a list" give what is written no number of its own; lists and dicts that are made
on the way (of an iterator, of elements) have theirs. An array of objects, any other key, and
anything else without attributes that is not of River or Driftline have no hash. For example
W({"b": x, "a": [x, 1.5]}) with x = [None] is

    {2:s1:a[2;[1;nf........s1:b&2;

where the dots stand for the eight bytes of 1.5, and &2 is x: the dict is 0, the other list 1.
"""

from __future__ import annotations

import functools
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from math import isnan
from struct import Struct
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final, NamedTuple

import numpy as np
from river.proba import Gaussian
from river.tree.splitter.ebst_splitter import EBSTNode

from driftline.core.learning.search_trees import flattened

FORMAT: Final = b"driftline state 1\n"
FLOAT: Final = Struct("<d").pack
NAN: Final = b"f\x00\x00\x00\x00\x00\x00\xf8\x7f"
DEAD: Final = "_rng"  # of a Gaussian
OPEN: Final = ("river.", "driftline.")  # packages whose instances hold what they show
NATIVE: Final = "river._river_rust"


class UnhashableStateError(ValueError):
    """A model holds something that no rule here covers."""


class TooLargeStateError(ValueError):
    """The walk met more than it was allowed to."""


def state_hash(model: object, max_nodes: int | None = None) -> str:
    """sha256 (hex) of the state. UnhashableStateError for what has no canonical form;
    TooLargeStateError beyond `max_nodes` values, of which a few crafted bytes can make billions."""
    walk = _Walk(max_nodes)
    walk.write(model)
    return walk.digest()


class _Walk:
    def __init__(self, max_nodes: int | None) -> None:
        self._parts: list[bytes] = []
        self._hash = sha256(FORMAT)
        # By id, which is unique only while its object lives: so the object is kept.
        self._seen: dict[int, tuple[int, object]] = {}
        self._left = -1 if max_nodes is None else max_nodes

    def digest(self) -> str:
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(b"".join(self._parts))
        self._parts.clear()

    def write(self, value: object) -> None:
        if self._left == 0:
            raise TooLargeStateError("the state holds more values than its bytes can stand for")
        self._left -= 1
        kind = type(value)
        atom = ATOMS.get(kind)
        if atom is not None:
            self._parts.append(atom(value))
        elif kind in UNSHARED:
            UNSHARED[kind](self, value)
        elif not self._is_known(value):
            SHARED.get(kind, _Walk.instance)(self, value)

    def _is_known(self, value: object) -> bool:
        known = self._seen.get(id(value))
        if known is not None:
            self._parts.append(b"&%d;" % known[0])
            return True
        self._seen[id(value)] = len(self._seen), value
        if len(self._parts) > 50_000:
            self._flush()
        return False

    def _sequence(self, tag: bytes, values: Iterable[object]) -> None:
        items = list(values)
        self._parts.append(b"%s%d;" % (tag, len(items)))
        for item in items:
            self.write(item)

    def _mapping(self, items: list[tuple[bytes, Any]]) -> None:
        self._parts.append(b"{%d:" % len(items))
        for key, item in items:
            self._parts.append(key)
            self.write(item)

    def tuple_(self, value: Any) -> None:
        self._sequence(b"(", value)

    def list_(self, value: Any) -> None:
        self._sequence(b"[", value)

    def deque_(self, value: Any) -> None:
        self._parts.append(b"deque;")
        self.write(value.maxlen)
        self._sequence(b"[", value)

    def set_(self, value: Any) -> None:
        keys = sorted(map(_key, value))
        self._parts += [b"set%d;" % len(keys), *keys]

    def dict_(self, value: Any) -> None:
        self._mapping(sorted(((_key(key), item) for key, item in value.items()), key=_first))

    def ordered_dict(self, value: Any) -> None:
        self._parts.append(b"ordered;")
        self._mapping([(_key(key), item) for key, item in value.items()])

    def counter(self, value: Any) -> None:
        self._parts.append(b"counter;")
        self.dict_(value)

    def defaultdict_(self, value: Any) -> None:
        self._parts.append(b"default;")
        self.write(value.default_factory)
        self.dict_(value)

    def named(self, value: Any) -> None:
        self._parts.append(b"name;" + _text(f"{value.__module__}.{value.__qualname__}"))

    def method(self, value: Any) -> None:
        self._parts.append(b"method;" + _text(value.__func__.__qualname__))
        self.write(value.__self__)

    def partial(self, value: Any) -> None:
        self._parts.append(b"partial;")
        self._sequence(b"(", (value.func, *value.args))
        self.dict_(value.keywords)

    def array(self, value: Any) -> None:
        if value.dtype.hasobject:
            raise UnhashableStateError("an array of Python objects has no canonical form")
        self._parts.append(b"array;" + _text(f"{value.dtype.str}{value.shape}"))
        self._parts.append(np.ascontiguousarray(value).tobytes())

    def gaussian(self, value: Any) -> None:
        self._object(value, {k: v for k, v in vars(value).items() if k != DEAD})

    def search_tree(self, value: Any) -> None:
        self._parts.append(b"tree;")
        self._sequence(b"[", map(tuple, flattened(value)))

    def instance(self, value: Any) -> None:
        kind = type(value)
        if _plan(kind).is_plain:
            return self._object(value, vars(value))
        if isinstance(value, type):
            return self.named(value)
        if kind.__module__ == "random" and kind.__qualname__ == "Random":
            return self._object(value, {"state": value.getstate()})
        if kind.__module__.startswith(NATIVE):
            return self._native(value)
        if isinstance(value, np.generic):
            return self.array(np.asarray(value))
        attributes = _attributes(value)
        if isinstance(value, dict | list | set):
            attributes["<elements>"] = dict(value) if isinstance(value, dict) else list(value)
        return self._object(value, attributes)

    def _object(self, value: object, attributes: Mapping[str, object]) -> None:
        parts, write = self._parts, self.write
        names = _ordered(tuple(attributes))
        parts.append(_plan(type(value)).name + b"%d;" % len(names))
        for name, written in names:
            parts.append(written)
            write(attributes[name])

    def _native(self, value: Any) -> None:
        # Its whole state goes through the pickle protocol: arguments, state, elements.
        _, *state = value.__reduce_ex__(4)
        self._parts.append(_plan(type(value)).name)
        self._sequence(b"native", map(_plain, state))


@functools.lru_cache(maxsize=4_096)
def _ordered(names: tuple[str, ...]) -> list[tuple[str, bytes]]:
    return [(name, _text(name)) for name in sorted(names)]


class _Plan(NamedTuple):
    """How instances of a class are written. `is_plain`: __dict__ is all that they hold."""

    name: bytes
    slots: tuple[str, ...]
    is_plain: bool


PLANS: Final[dict[type, _Plan]] = {}  # as many as there are classes


def _plan(kind: type) -> _Plan:
    plan = PLANS.get(kind)
    if plan is None:
        name = b"object;" + _text(f"{kind.__module__}.{kind.__qualname__}")
        slots = tuple(_slots(kind))
        plan = PLANS[kind] = _Plan(name, slots, not slots and _is_open(kind))
    return plan


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        yield from (name for name in names if name not in ("__dict__", "__weakref__"))


def _is_open(kind: type) -> bool:
    is_ours = kind.__module__.startswith(OPEN) and not kind.__module__.startswith(NATIVE)
    return is_ours and not issubclass(kind, dict | list | set | tuple | type)


def _attributes(value: object) -> dict[str, object]:
    """All that an instance holds, in __dict__ and in slots."""
    found = dict(getattr(value, "__dict__", {}))
    found |= {
        name: getattr(value, name) for name in _plan(type(value)).slots if hasattr(value, name)
    }
    if not found and not type(value).__module__.startswith(OPEN):
        raise UnhashableStateError(f"no rule says what the state of a {type(value)} is")
    return found


def _plain(part: object) -> object:
    """A part of a native object's state: iterators of elements become lists."""
    return list(part) if isinstance(part, Iterator) else part


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b"s%d:%s" % (len(raw), raw)


def _float(value: Any) -> bytes:
    return NAN if isnan(value) else b"f" + FLOAT(value)


def _key(key: object) -> bytes:
    """What is written for a key or an element of a set."""
    atom = ATOMS.get(type(key))
    if atom is not None:
        return atom(key)
    if isinstance(key, tuple):
        return b"(%d;" % len(key) + b"".join(map(_key, key))
    raise UnhashableStateError(f"a key of type {type(key)} has no canonical form")


def _first(item: tuple[bytes, object]) -> bytes:
    return item[0]


ATOMS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"t" if value else b"u",
    int: lambda value: b"i%d;" % value,
    float: _float,
    str: _text,
    bytes: lambda value: b"b%d:%s" % (len(value), value),
}
# Values that cannot change: whether two places share one is chance.
UNSHARED: Final[dict[type, Callable[[_Walk, Any], None]]] = {
    tuple: _Walk.tuple_,
    frozenset: _Walk.set_,
    type: _Walk.named,
    FunctionType: _Walk.named,
    BuiltinFunctionType: _Walk.named,
}
SHARED: Final[dict[type, Callable[[_Walk, Any], None]]] = {
    list: _Walk.list_,
    dict: _Walk.dict_,
    set: _Walk.set_,
    deque: _Walk.deque_,
    OrderedDict: _Walk.ordered_dict,
    Counter: _Walk.counter,
    defaultdict: _Walk.defaultdict_,
    MethodType: _Walk.method,
    functools.partial: _Walk.partial,
    np.ndarray: _Walk.array,
    Gaussian: _Walk.gaussian,
    EBSTNode: _Walk.search_tree,
}
