"""Where do the bytes of models lie? Under their own sha256, in a folder or an object store.

Blocking: a service calls it from a thread. The bytes are a cache: what is lost is learned again.
"""

import errno
import os
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import fsspec  # type: ignore[import-untyped]  # ships no types
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]  # likewise

from driftline.runtime.errors import DriftlineError
from driftline_schemas.registry import Artifact

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
MARK: Final = ".driftline"  # lies in each store: without it, nothing is known to be gone


class ArtifactError(DriftlineError):
    """Bytes could not be kept or are not there as they were; the message is one sentence."""


class ArtifactUnavailableError(ArtifactError):
    """The store does not answer now; the bytes may be there all the same."""


@dataclass(frozen=True, slots=True)
class ArtifactStore:
    """Bytes by content address under `url`: a path, file://, s3://, gs://, memory://, ..."""

    url: str
    _files: Any = field(repr=False)  # fsspec has no types
    _root: str = field(repr=False)
    _marked: list[bool] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def at(cls, url: str) -> Self:
        """The store at this address. Raises ArtifactError where fsspec cannot speak to it."""
        try:
            files, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ArtifactError(f"artifacts cannot be kept at {url}: {error}") from None
        return cls(url.rstrip("/"), files, root.rstrip("/"))

    def put(self, payload: bytes) -> Artifact:
        """Keep the bytes; the same ones twice are kept once. Raises ArtifactError."""
        digest = sha256(payload).hexdigest()
        artifact = self.place(digest, len(payload))
        try:
            self._mark()
            if not self._has(artifact):
                self._write(f"{self._root}/{_name(digest)}", payload)
        except ArtifactUnavailableError:
            raise
        except Exception as error:
            raise ArtifactUnavailableError(_sentence("write", artifact, error)) from error
        return artifact

    def place(self, digest: str, size: int) -> Artifact:
        """Where these bytes lie, or would."""
        return Artifact(uri=f"{self.url}/{_name(digest)}", sha256=digest, bytes=size)

    def get(self, artifact: Artifact) -> bytes:
        """The bytes, checked. Raises ArtifactError where they are gone, damaged or too long."""
        path = f"{self._root}/{_name(artifact.sha256)}"
        try:
            with self._files.open(path, "rb") as file:
                payload: bytes = file.read(artifact.bytes + 1)
        except FileNotFoundError:
            if not self._is_marked():
                raise self._away() from None
            raise ArtifactError(
                f"artifact {artifact.uri} is gone: rebuild it from the journal"
            ) from None
        except Exception as error:  # clients of object stores raise kinds of their own
            raise ArtifactUnavailableError(_sentence("read", artifact, error)) from error
        if len(payload) != artifact.bytes or sha256(payload).hexdigest() != artifact.sha256:
            raise ArtifactError(f"artifact {artifact.uri} is damaged: rebuild it from the journal")
        return payload

    def remove(self, digest: str) -> None:
        """Let the bytes of this sha256 go, if they are there. Raises ArtifactUnavailableError."""
        try:
            self._files.rm_file(f"{self._root}/{_name(digest)}")
        except FileNotFoundError:
            return
        except Exception as error:
            raise ArtifactUnavailableError(f"cannot remove {digest}: {error}") from error

    def _has(self, artifact: Artifact) -> bool:
        """Whether it lies there undamaged; what a crash left of it, or decay, is written again."""
        try:
            self.get(artifact)
        except ArtifactUnavailableError:
            raise
        except ArtifactError:
            return False
        return True

    def _mark(self) -> None:
        """The first bytes of a store bring its mark. A store that had one and has none now is an
        empty folder where a volume was."""
        if not self._is_marked():
            if self._marked:
                raise self._away()
            self._write(f"{self._root}/{MARK}", b"Artifacts of Driftline lie here.\n")
        self._marked[:] = [True]

    def _is_marked(self) -> bool:
        try:
            return bool(self._files.exists(f"{self._root}/{MARK}"))
        except Exception as error:
            raise ArtifactUnavailableError(f"{self.url} does not answer: {error}") from error

    def _away(self) -> ArtifactUnavailableError:
        return ArtifactUnavailableError(
            f"{self.url} is no artifact store ({MARK} is missing): is its volume mounted?"
        )

    def _write(self, path: str, payload: bytes) -> None:
        if isinstance(self._files, LocalFileSystem):
            _write_durably(Path(path), payload)
        else:  # object stores show a whole object or none
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, payload)


def _name(digest: str) -> str:
    return f"{digest[:2]}/{digest}"


def _sentence(verb: str, artifact: Artifact, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk is full: artifact {artifact.uri} ({artifact.bytes} bytes) was not written"
    why = error.strerror if isinstance(error, OSError) else None
    return f"cannot {verb} artifact {artifact.uri}: {why or error or type(error).__name__}"


def _write_durably(path: Path, payload: bytes) -> None:
    """The whole file or none, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
