"""What the loader refuses, and that nothing else in the code base unpickles."""

import ast
import os
import pickle
import pickletools
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from river import cluster
from river.__version__ import __version__ as river_version

import driftline
import driftline_schemas
from driftline.core.learning.versions import Manifest
from driftline.runtime.models.loader import ModelRefusedError, load
from driftline.runtime.models.names import NAMES
from driftline.runtime.models.pickling import dump
from driftline.runtime.models.scanning import SuspiciousPickleError, scan
from tests.unit.core.learning.examples import CASES, learn, rows

REBUILDING = "driftline.runtime.models.rebuilding"
PROTO, STOP = b"\x80\x05", b"."


def signed(payload: bytes) -> Manifest:
    """The manifest of somebody who wrote the bytes as well."""
    return Manifest(sha256(payload).hexdigest(), len(payload), "0" * 64, river_version)


def refused(payload: bytes) -> str:
    with pytest.raises(ModelRefusedError) as refusal:
        load(payload, signed(payload))
    return str(refusal.value)


class Calls:
    """Pickles as the call of a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, qualified: str) -> bytes:
    return text(module) + text(qualified) + b"\x93"


def crafted(*parts: bytes) -> bytes:
    return b"".join((PROTO, *parts, STOP))


MARKER = "DRIFTLINE_LOADED_HOSTILE_CODE"


@pytest.mark.parametrize(
    "hostile",
    [
        Calls(os.system, f"export {MARKER}=1"),
        Calls(os.putenv, MARKER, "1"),
        Calls(eval, f"__import__('os').environ.setdefault('{MARKER}', '1')"),
        Calls(partial(partial(os.system), f"export {MARKER}=1")),
        Calls(partial, os.system, "true"),
        Calls(getattr, cluster.KMeans, "__init__"),
        Calls(getattr, Calls, "__init__"),
        Calls(bytearray, 10**10),
        Calls(__import__, "os"),
        Calls(cluster.KMeans),
        [{"deep": (Calls(Calls, Calls(os.system, "true")),)}],
    ],
    ids=[
        "os.system", "os.putenv", "eval", "a chain of partials", "a partial of os.system",
        "getattr of a function", "getattr of a class", "an allocation of 10 GB", "an import",
        "a class of River that is not listed", "a call within a call within a list",
    ],
)  # fmt: skip
def test_a_pickle_that_calls_what_it_should_not_is_refused(hostile: object) -> None:
    payload = pickle.dumps(hostile, 5)
    assert "no model needs" in refused(payload)
    assert MARKER not in os.environ


LISTED = name("river.stats.mean", "Mean")
NEW_MEAN = LISTED + b")\x81"
HUGE = 10 * 2**30


@pytest.mark.parametrize(
    "payload",
    [
        crafted(b"\x96", struct.pack("<Q", HUGE)),
        crafted(b"\x8e", struct.pack("<Q", HUGE)),
        crafted(b"B", struct.pack("<I", 2**32 - 1)),
        crafted(b"X", struct.pack("<I", 2**32 - 1)),
        crafted(b"\x8b", struct.pack("<i", 2**31 - 1)),
        crafted(b"\x95", struct.pack("<Q", HUGE)),
        crafted(b"\x95", struct.pack("<Q", 300_000), b"N0" * 150_000),
        crafted(b"N", b"r", struct.pack("<I", 2**32 - 1)),
        crafted(b"h\x05"),
        crafted(b"N", b"\x86" * 5),
        crafted(b"cos\nsystem\n", b"(tR"),
        crafted(b"(ios\nsystem\n"),
        crafted(b"\x82\x01"),
        crafted(b"Pid\n"),
        crafted(name("river.compose.pipeline", "Pipeline.__init__.__globals__")),
        crafted(name("river.compose.pipeline", "inspect")),
        crafted(name("builtins", "getattr")),
        crafted(name("functools", "partial")),
        crafted(name("copy", "deepcopy")),
        crafted(LISTED, b")R"),
        crafted(name("builtins", "int"), text("9"), b"\x85R"),
        crafted(name("random", "Random"), b")\x81"),
        crafted(LISTED, b"}", text("learn_one"), b"Ns", b"b"),
        crafted(LISTED, b"N}", text("update"), b"Ns", b"\x86b"),
        crafted(name(REBUILDING, "windowing"), b"}b"),
        crafted(NEW_MEAN, b"0N"),
        crafted(NEW_MEAN) + b"more",
        crafted(NEW_MEAN)[:-3],
        b"\x80\x04" + NEW_MEAN + STOP,
        b"",
    ],
    ids=[
        "10 GB of a bytearray", "10 GB of bytes", "4 GB of bytes", "4 GB of text",
        "an integer of 2 GB", "a frame of 10 GB", "a frame that would take long",
        "a memo of 4 billion places", "a memo place that is empty", "a stack that is empty",
        "a name in the old form", "an instance in the old form", "an extension code",
        "a persistent id", "a dotted name", "a module behind a class", "getattr", "partial",
        "deepcopy", "a constructor called with arguments", "a value that is called",
        "a function as a class", "a class that is patched", "a class that is patched by slots",
        "a function that is patched", "an operation that no pickler writes", "bytes after the end",
        "an end that is missing", "another protocol", "nothing",
    ],
)  # fmt: skip
def test_bytes_that_the_pickler_never_writes_are_refused_before_they_are_read(
    payload: bytes,
) -> None:
    tracemalloc.start()
    refused(payload)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    with pytest.raises(SuspiciousPickleError):
        scan(payload)


def test_a_tuple_that_unfolds_without_end_is_refused() -> None:
    doubled = b"".join(b"\x94h" + bytes([i]) + b"\x86" for i in range(40))
    assert "unfolds" in refused(crafted(b")", doubled))


def test_lists_that_unfold_without_end_do_not_take_for_ever() -> None:
    doubled = b"".join(b"\x94]h" + bytes([i]) + b"ah" + bytes([i]) + b"a" for i in range(100))
    assert "state" in refused(crafted(b"(]", doubled, b"t"))


@pytest.mark.parametrize(
    ("function", "arguments", "why"),
    [
        ("bound_method", NEW_MEAN + text("__reduce_ex__") + b"\x86", "no method"),
        ("bound_method", name("river.linear_model.pa", "PAClassifier") + b")\x81"
            + text("learn_one") + b"\x86", "no method"),
        ("copies_of", NEW_MEAN + b"\x85", "no optimizer"),
        ("dicts_of", NEW_MEAN + b"\x85", "no model has dicts"),
        ("windowing", b"(G" + struct.pack(">d", 0.002) + b"K J" + struct.pack("<i", 2**31 - 1)
            + b"K\x05K\x0atC\x00\x86", "no parameters"),
        ("windowing", b"(G" + struct.pack(">d", 0.002) + b"K K\x05K\x05K\x0atC\x04torn\x86",
            "ADWIN"),
        ("search_tree", b"](NNNNta\x85", "no rows"),
        ("search_tree", b"]\x85", "fewer nodes"),
    ],
    ids=[
        "a method of another class", "another method", "copies of what is no optimizer",
        "dicts of anything", "a detector of 2 billion buckets", "a torn detector",
        "a search tree of nothing", "a search tree without a node",
    ],
)  # fmt: skip
def test_the_functions_that_a_pickle_may_call_take_only_what_models_are_made_of(
    function: str, arguments: bytes, why: str
) -> None:
    payload = crafted(name(REBUILDING, function), arguments, b"R")
    scan(payload)
    assert why in refused(payload)


@pytest.fixture(scope="module")
def honest() -> tuple[bytes, Manifest]:
    case = CASES["softmax"]
    model = case.build()
    learn(model, rows(case, 100))
    return dump(model)


def test_any_flipped_byte_is_refused(honest: tuple[bytes, Manifest]) -> None:
    payload, manifest = honest
    for at in range(0, len(payload), 29):
        flipped = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
        with pytest.raises(ModelRefusedError, match="sha256"):
            load(flipped, manifest)


def test_a_flipped_byte_with_a_manifest_to_match_is_refused_by_the_state_or_before(
    honest: tuple[bytes, Manifest],
) -> None:
    payload, manifest = honest
    for at in range(2, len(payload), 11):
        flipped = payload[:at] + bytes([payload[at] ^ 4]) + payload[at + 1 :]
        forged = replace(manifest, sha256=sha256(flipped).hexdigest())
        try:
            load(flipped, forged)
        except ModelRefusedError:
            continue
        # Only what has no meaning may differ, such as the memo of a string.
        assert [a[0].name for a in pickletools.genops(flipped)] == [
            a[0].name for a in pickletools.genops(payload)
        ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"size": 3}, "bytes"),
        ({"state_hash": "f" * 64}, "holds the state"),
        ({"river": "0.25.0"}, "rebuild it"),
        ({"sha256": "f" * 64}, "damaged"),
    ],
    ids=["another size", "another state", "another River", "another sha256"],
)
def test_bytes_that_are_not_what_the_manifest_says_are_refused(
    honest: tuple[bytes, Manifest], change: dict[str, Any], why: str
) -> None:
    payload, manifest = honest
    with pytest.raises(ModelRefusedError, match=why):
        load(payload, replace(manifest, **change))


def test_more_bytes_than_the_limit_are_not_even_hashed(honest: tuple[bytes, Manifest]) -> None:
    with pytest.raises(ModelRefusedError, match="more than 100"):
        load(*honest, max_bytes=100)


def test_a_pickle_of_no_model_is_refused_by_its_state() -> None:
    assert "holds the state" in refused(pickle.dumps([1, "two", 3.0], 5))


def test_no_listed_name_runs_reads_or_imports() -> None:
    dangerous = {"getattr", "setattr", "eval", "exec", "compile", "open", "partial", "deepcopy"}
    dangerous |= {"__import__", "bytearray", "memoryview", "type", "object", "attrgetter"}
    assert not dangerous & {qualified for _, qualified in NAMES}
    assert {module.partition(".")[0] for module, _ in NAMES} == {
        "builtins", "collections", "driftline", "random", "river", "statistics",
    }  # fmt: skip


UNPICKLING = {"joblib", "cloudpickle", "dill", "shelve", "marshal", "pickle", "_pickle"}
ALLOWED_FILES = {"runtime/models/loader.py", "runtime/models/pickling.py"}


def unpickling(tree: ast.AST) -> list[str]:
    """Each import and use in a module that could turn bytes into objects."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.partition(".")[0] in UNPICKLING]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found += [module] if module.partition(".")[0] in UNPICKLING else []
        elif isinstance(node, ast.Constant) and node.value in UNPICKLING - {"pickle"}:
            found.append(str(node.value))  # importlib.import_module("dill")
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found.append("allow_pickle")
        elif isinstance(node, ast.Attribute) and node.attr in ("read_pickle", "import_module"):
            found.append(node.attr)
    return found


def test_nothing_but_the_loader_unpickles() -> None:
    found = {}
    for package in (driftline, driftline_schemas):
        root = Path(package.__path__[0])
        for file in root.rglob("*.py"):
            uses = unpickling(ast.parse(file.read_text()))
            if uses and file.relative_to(root).as_posix() not in ALLOWED_FILES:
                found[str(file)] = uses
    assert found == {}


def test_the_pickler_only_writes_and_the_loader_reads_in_one_place() -> None:
    root = Path(driftline.__path__[0])
    used = {
        file: sorted({
            node.attr
            for node in ast.walk(ast.parse((root / file).read_text()))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "pickle"
        })
        for file in sorted(ALLOWED_FILES)
    }  # fmt: skip
    assert used == {
        "runtime/models/loader.py": ["Unpickler", "UnpicklingError"],
        "runtime/models/pickling.py": ["Pickler"],
    }


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.x",
        "np.load(f, allow_pickle=True)",
    ],
)
def test_the_search_finds_what_it_looks_for(line: str) -> None:
    assert unpickling(ast.parse(line))
