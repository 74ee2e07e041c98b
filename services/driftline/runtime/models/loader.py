"""The one place where bytes become a model again: everything that can be checked is, first.

Size, sha256, the release of River, then what the pickle would do, then an unpickler that knows the
listed names only, and at last the canonical hash of the state that came out.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from threading import Lock
from typing import Any, Final, TypeVar, cast

from river.__version__ import __version__ as river_version

from driftline.core.learning.binary import OnlineModel
from driftline.core.learning.state_hash import state_hash
from driftline.core.learning.versions import Dumped, Manifest
from driftline.runtime.errors import DriftlineError
from driftline.runtime.models.collecting import BIG, COLLECTING
from driftline.runtime.models.names import NAMES
from driftline.runtime.models.pickling import UnwritableModelError, dump
from driftline.runtime.models.scanning import scan

T = TypeVar("T")
MAX_BYTES: Final = 256 << 20
# A tuple of a few bytes may be met again and again in the walk; an honest model stays far below.
NODES_PER_BYTE: Final = 10
MAX_REMEMBERED: Final = 10_000


class ModelRefusedError(DriftlineError):
    """These bytes are not the model that they should be; the message is one sentence."""


@dataclass(slots=True)
class SafeCodec:
    """The pickler and the loader as the core's codec.

    Bytes with the sha256 of a model that this process wrote or loaded before are those bytes: their
    operations and their state hash are not checked a second time.
    """

    max_bytes: int = MAX_BYTES
    _checked: dict[str, str] = field(default_factory=dict)  # sha256 -> state hash
    _lock: Lock = field(default_factory=Lock)  # threads dump and load as well as the event loop

    def dump(self, model: OnlineModel) -> Dumped:
        """Bytes and manifest. Raises UnwritableModelError where the loader would refuse them."""
        dumped = dump(model)
        if dumped.manifest.size > self.max_bytes:
            raise UnwritableModelError(
                f"the model has {dumped.manifest.size:,} bytes, more than {self.max_bytes:,}"
            )
        self._remember(dumped.manifest)
        return dumped

    def load(self, payload: bytes, manifest: Manifest) -> OnlineModel:
        """The model of these bytes. Raises ModelRefusedError."""
        if self._checked.get(manifest.sha256) == manifest.state_hash:
            _check_bytes(payload, manifest, self.max_bytes)
            return cast("OnlineModel", _refusing("is unreadable", lambda: _read(payload)))
        model = load(payload, manifest, self.max_bytes)
        self._remember(manifest)
        return model

    def _remember(self, manifest: Manifest) -> None:
        with self._lock:
            self._checked[manifest.sha256] = manifest.state_hash
            if len(self._checked) > MAX_REMEMBERED:
                del self._checked[next(iter(self._checked))]


def load(payload: bytes, manifest: Manifest, max_bytes: int = MAX_BYTES) -> OnlineModel:
    """The model that `manifest` speaks of, from bytes that anybody may have written.

    Raises ModelRefusedError. Safe against code in the bytes and against bytes that claim or unfold
    into more memory than they are worth; a model that learned something else has another hash.
    """
    _check_bytes(payload, manifest, max_bytes)
    _refusing("is no pickled model", lambda: scan(payload))
    model = _refusing("is no pickled model", lambda: _read(payload))
    limit = NODES_PER_BYTE * len(payload) + 10_000
    with COLLECTING:
        found = _refusing("has a state without a hash", lambda: state_hash(model, limit))
    if found != manifest.state_hash:
        raise ModelRefusedError(
            f"model {manifest.sha256[:16]} holds the state {found[:16]}, "
            f"not {manifest.state_hash[:16]}"
        )
    return cast("OnlineModel", model)


def _check_bytes(payload: bytes, manifest: Manifest, max_bytes: int) -> None:
    name = f"model {manifest.sha256[:16]}"
    if len(payload) > max_bytes or len(payload) != manifest.size:
        raise ModelRefusedError(
            f"{name} has {len(payload)} bytes, not {manifest.size}, or more than {max_bytes}"
        )
    if sha256(payload).hexdigest() != manifest.sha256:
        raise ModelRefusedError(f"{name} is damaged: its bytes have another sha256")
    if manifest.river != river_version:
        raise ModelRefusedError(
            f"{name} was written by River {manifest.river}, this is {river_version}: rebuild it "
            "from the journal"
        )


def _refusing(what: str, read: Callable[[], T]) -> T:
    """`read()`, whatever it raises being the bytes' fault."""
    try:
        return read()
    except Exception as error:
        raise ModelRefusedError(f"the model {what}: {error}") from error


def _read(payload: bytes) -> object:
    with COLLECTING as collecting:
        model = _Unpickler(_Yielding(payload)).load()
        if len(payload) >= BIG:
            collecting.leave_out()
    return model


class _Yielding:
    """A file that gives other threads their turn: the unpickler asks for one frame of 64 kB after
    the other, and a function of Python is where they get it."""

    def __init__(self, payload: bytes) -> None:
        self._stream = BytesIO(payload)

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def readline(self) -> bytes:
        return self._stream.readline()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in NAMES:
            raise pickle.UnpicklingError(f"no model needs {module_name}.{global_name}")
        return super().find_class(module_name, global_name)
