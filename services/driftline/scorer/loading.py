"""How does a registered version get into memory? Blocking: called in a thread."""

from dataclasses import dataclass
from typing import Final, Protocol

from driftline.core.learning.binary import OnlineModel
from driftline.core.learning.versions import Manifest, ModelCodec
from driftline.runtime.errors import DriftlineError
from driftline.runtime.models.artifacts import ArtifactError
from driftline.runtime.models.loader import MAX_BYTES, ModelRefusedError
from driftline.scorer.ready import Ready
from driftline.scorer.sanity import SanityCheck
from driftline.scorer.wanted import VersionSpec
from driftline_schemas.registry import Artifact, ModelUpdated

RIVER: Final = "river"  # its place in the environment of a recipe


class VersionRefusedError(DriftlineError):
    """The version must not serve, however often it is tried: `reason` is `loader`, `sanity`, `slow`
    or `unexpected`."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Loader(Protocol):
    """Versions by what the registry says of them."""

    def load(self, version: VersionSpec) -> Ready:
        """Raises ArtifactError for bytes that are not there (yet), and VersionRefusedError."""
        ...


class Artifacts(Protocol):
    """Where the bytes lie."""

    def get(self, artifact: Artifact, /) -> bytes:
        """The bytes; ArtifactError where they are not."""
        ...


@dataclass(frozen=True, slots=True)
class ArtifactLoader:
    """Bytes from the store, through the one loader, then the check: nothing else ever serves."""

    artifacts: Artifacts
    codec: ModelCodec
    check: SanityCheck

    def load(self, version: VersionSpec) -> Ready:
        """The version, ready to predict."""
        manifest = manifest_of(version.recipe)
        if manifest.size > MAX_BYTES:
            raise VersionRefusedError("loader", f"model of {manifest.size:,} bytes: too large")
        ready = Ready.of(version, self._model(self._fetched(version), manifest))
        if fault := self.check.fault(ready):
            raise VersionRefusedError("sanity", fault)
        return ready

    def _fetched(self, version: VersionSpec) -> bytes:
        artifact = version.recipe.artifact
        try:
            return self.artifacts.get(artifact)
        except ArtifactError:
            raise
        except Exception as error:
            raise ArtifactError(f"cannot read artifact {artifact.uri}: {error!r}") from error

    def _model(self, payload: bytes, manifest: Manifest) -> OnlineModel:
        try:
            return self.codec.load(payload, manifest)
        except ModelRefusedError as error:
            raise VersionRefusedError("loader", str(error)) from error


def manifest_of(recipe: ModelUpdated) -> Manifest:
    """What the bytes of a registered version must turn out to be; VersionRefusedError for one that
    does not say by which River it was made."""
    river = recipe.environment.get(RIVER)
    if river is None:
        raise VersionRefusedError("loader", "the recipe does not say which River made the version")
    artifact = recipe.artifact
    return Manifest(artifact.sha256, artifact.bytes, recipe.state_hash, river)
