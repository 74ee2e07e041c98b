"""The one place where bytes become a model again: everything that can be checked is, first.

Size, sha256, the release of River, then what the pickle would do, then an unpickler that knows the
listed names only, and at last the canonical hash of the state that came out.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any, Final, TypeVar, cast

from river.__version__ import __version__ as river_version

from driftline.core.learning.binary import OnlineModel
from driftline.core.learning.state_hash import state_hash
from driftline.core.learning.versions import Dumped, Manifest
from driftline.runtime.errors import DriftlineError
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
            return cast("OnlineModel", _refusing("is unreadable", lambda: _unpickled(payload)))
        model = load(payload, manifest, self.max_bytes)
        self._remember(manifest)
        return model

    def _remember(self, manifest: Manifest) -> None:
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
    model = _refusing("is no pickled model", lambda: _unpickled(payload))
    limit = NODES_PER_BYTE * len(payload) + 10_000
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


def _unpickled(payload: bytes) -> object:
    return _Unpickler(BytesIO(payload)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in NAMES:
            raise pickle.UnpicklingError(f"no model needs {module_name}.{global_name}")
        return super().find_class(module_name, global_name)
