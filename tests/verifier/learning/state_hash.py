"""The canonical state hash of a model, written anew from its definition.

It is the sha256 of `driftline state 1` and a line feed, then W(model). W says how a value is
written; <n> is a decimal number, and "exactly" means the class itself, none that inherits from it.

- None `n`, True `t`, False `u`, exactly int `i<n>;`, exactly float `f` and its eight bytes, little
  endian (any NaN: those of the positive quiet one), exactly str `s<n>:` and its n bytes of UTF-8
  (lone surrogates passed), exactly bytes `b<n>:` and the n bytes. These are the atoms.
- Exactly tuple `(<n>;` and its n items; exactly frozenset as a set; a class whose own class is
  exactly type, a function, a builtin: `name;` and W("module.qualname").
- All other values are numbered from 0 as the walk meets them, and one that is met again is its
  number: `&<n>;`. This holds also for objects that are made on the way (the lists, below).
- Exactly list `[<n>;` and its items; deque `deque;`, W(maxlen), then like a list.
- Set `set<n>;` and the keys, sorted by what is written for them. A key is an atom, or a tuple of
  keys, `(<n>;` and those; any other has no hash.
- Exactly dict `{<n>:`, then key and value by key, sorted by what is written for the keys.
  OrderedDict `ordered;` and the same in its own order; Counter `counter;` and as a dict;
  defaultdict `default;`, W(its factory) and as a dict.
- Bound method `method;`, W(qualname of the function), W(the object). functools.partial `partial;`,
  then `(<n>;` with function and arguments, then its keywords as a dict.
- numpy array `array;`, W(dtype.str and the shape as Python prints it), its bytes in C order; a
  numpy scalar as an array without dimensions.
- Any other object: `object;`, W("module.qualname"), `<n>;` and its n attributes, from __dict__ and
  from slots, by name, sorted: W(name), W(value). Three classes hide theirs: a river.proba.Gaussian
  is written without `_rng`; a random.Random has one, `state`, which is getstate(); what inherits
  from dict, list or set has one more, `<elements>`, a new dict or list of them. A class whose own
  class is not type is written as a class, but numbered.
- An object of river._river_rust: `object;`, W(name), then `native<n>;` and the n parts that
  __reduce_ex__(4) gives after the constructor, an iterator as a new list.
- A node of River's EBST splitters: `tree;`, then `[<n>;` and, in preorder, the tuples (value,
  statistics, whether a left child follows, whether a right child follows).
"""

import functools
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from math import isnan
from random import Random
from struct import pack
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
from river.proba import Gaussian
from river.tree.splitter.ebst_splitter import EBSTNode

HEADER = b"driftline state 1\n"
NATIVE = "river._river_rust"
QUIET_NAN = bytes.fromhex("000000000000f87f")
# What stands for a class of the services is written under the name of that class.
STANDS_FOR = "stands_for"


class NoHash(ValueError):  # noqa: N818
    """A state holds something that the definition does not cover."""


def state_hash(model: object) -> str:
    """sha256 (hex) of the state; NoHash where it has none."""
    walk = _Walk()
    walk.write(model)
    return sha256(HEADER + bytes(walk.out)).hexdigest()


class _Walk:
    def __init__(self) -> None:
        self.out = bytearray()
        self.met: dict[int, int] = {}
        self.alive: list[object] = []  # else the number of a dead object could be met again

    def write(self, value: Any) -> None:
        kind = type(value)
        if (atom := ATOMS.get(kind)) is not None:
            self.out += atom(value)
        elif kind is tuple:
            self.items(b"(", value)
        elif kind is frozenset:
            self.set_(value)
        elif kind in (type, FunctionType, BuiltinFunctionType):
            self.name(value)
        elif (number := self.met.get(id(value))) is not None:
            self.out += b"&%d;" % number
        else:
            self.met[id(value)] = len(self.alive)
            self.alive.append(value)
            CONTAINERS.get(kind, _Walk.object_)(self, value)

    def items(self, opening: bytes, values: Iterable[Any]) -> None:
        found = list(values)
        self.out += opening + b"%d;" % len(found)
        for value in found:
            self.write(value)

    def pairs(self, pairs: list[tuple[bytes, Any]]) -> None:
        self.out += b"{%d:" % len(pairs)
        for key, value in pairs:
            self.out += key
            self.write(value)

    def list_(self, value: Any) -> None:
        self.items(b"[", value)

    def set_(self, value: Any) -> None:
        keys = sorted(_key(key) for key in value)
        self.out += b"set%d;" % len(keys) + b"".join(keys)

    def deque_(self, value: Any) -> None:
        self.out += b"deque;"
        self.write(value.maxlen)
        self.list_(value)

    def dict_(self, value: Any) -> None:
        self.pairs(sorted(_keyed(value), key=lambda pair: pair[0]))

    def ordered(self, value: Any) -> None:
        self.out += b"ordered;"
        self.pairs(_keyed(value))

    def counter(self, value: Any) -> None:
        self.out += b"counter;"
        self.dict_(value)

    def default(self, value: Any) -> None:
        self.out += b"default;"
        self.write(value.default_factory)
        self.dict_(value)

    def name(self, value: Any) -> None:
        self.out += b"name;" + _text(f"{value.__module__}.{value.__qualname__}")

    def method(self, value: Any) -> None:
        self.out += b"method;" + _text(value.__func__.__qualname__)
        self.write(value.__self__)

    def partial(self, value: Any) -> None:
        self.out += b"partial;"
        self.items(b"(", [value.func, *value.args])
        self.dict_(value.keywords)

    def array(self, value: Any) -> None:
        if value.dtype.hasobject:
            raise NoHash("an array of Python objects")
        self.out += b"array;" + _text(f"{value.dtype.str}{value.shape}") + value.tobytes(order="C")

    def node(self, value: Any) -> None:
        self.out += b"tree;"
        self.items(b"[", _preorder(value))

    def object_(self, value: Any) -> None:
        kind = type(value)
        if isinstance(value, type):
            self.name(value)
        elif isinstance(value, np.generic):
            self.array(np.asarray(value))
        elif kind.__module__.startswith(NATIVE):
            self.class_name(kind)
            _, *parts = value.__reduce_ex__(4)
            self.items(
                b"native", [list(part) if isinstance(part, Iterator) else part for part in parts]
            )
        else:
            self.class_name(kind)
            self.attributes(_attributes(value))

    def class_name(self, kind: type) -> None:
        name = getattr(kind, STANDS_FOR, f"{kind.__module__}.{kind.__qualname__}")
        self.out += b"object;" + _text(name)

    def attributes(self, found: Mapping[str, Any]) -> None:
        self.out += b"%d;" % len(found)
        for name in sorted(found):
            self.write(name)
            self.write(found[name])


def _attributes(value: Any) -> dict[str, Any]:
    if type(value) is Random:
        return {"state": value.getstate()}
    found = dict(getattr(value, "__dict__", {}))
    for name in _slots(type(value)):
        if hasattr(value, name):
            found[name] = getattr(value, name)
    if type(value) is Gaussian:
        found.pop("_rng", None)
    if isinstance(value, dict):
        found["<elements>"] = dict(value)
    elif isinstance(value, list | set):
        found["<elements>"] = list(value)
    if not found and not type(value).__module__.startswith("river."):
        raise NoHash(f"a {type(value)}")
    return found


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield name


def _preorder(root: Any) -> Iterator[tuple[float, Any, bool, bool]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node.att_val, node.estimator, node._left is not None, node._right is not None
        waiting += [child for child in (node._right, node._left) if child is not None]


def _keyed(value: Mapping[Any, Any]) -> list[tuple[bytes, Any]]:
    return [(_key(key), entry) for key, entry in value.items()]


def _key(key: Any) -> bytes:
    if (atom := ATOMS.get(type(key))) is not None:
        return atom(key)
    if isinstance(key, tuple):
        return b"(%d;" % len(key) + b"".join(_key(part) for part in key)
    raise NoHash(f"a key that is a {type(key)}")


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b"s%d:" % len(raw) + raw


def _float(value: float) -> bytes:
    return b"f" + (QUIET_NAN if isnan(value) else pack("<d", value))


ATOMS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"t" if value else b"u",
    int: lambda value: b"i%d;" % value,
    float: _float,
    str: _text,
    bytes: lambda value: b"b%d:" % len(value) + value,
}
CONTAINERS: dict[type, Callable[[_Walk, Any], None]] = {
    list: _Walk.list_,
    set: _Walk.set_,
    dict: _Walk.dict_,
    deque: _Walk.deque_,
    OrderedDict: _Walk.ordered,
    Counter: _Walk.counter,
    defaultdict: _Walk.default,
    MethodType: _Walk.method,
    functools.partial: _Walk.partial,
    np.ndarray: _Walk.array,
    EBSTNode: _Walk.node,
}
