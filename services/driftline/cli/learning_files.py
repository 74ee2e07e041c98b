"""The files that pipelines learn from: checked, then kept where the learner finds their bytes."""

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftline.cli.errors import CommandError
from driftline.cli.tables import is_parquet, read_rows
from driftline.core.learning.rows import MAX_BYTES
from driftline.runtime.settings import Settings
from driftline_schemas.registry import Artifact
from driftline_schemas.spec import ModelSpec

if TYPE_CHECKING:
    from driftline.runtime.models.artifacts import ArtifactStore

LOCAL: Final = "file:///var/lib/driftline/artifacts"


def put_learning_files(settings: Settings, spec_file: Path, spec: ModelSpec) -> dict[str, Artifact]:
    """What the spec's `train`, `warm` and `test_set` name, paths beside its file, by the name they
    have there.

    CommandError: a file that cannot be read, that lacks a column, or that nobody can keep.
    """
    columns: dict[str, set[str]] = {}
    for source in spec.learning_sources:
        label = spec.label_column(source)
        columns.setdefault(source.file, set()).update([label] if label else [])
    features = {feature.name for feature in spec.features}
    return {
        name: put_file(settings, spec_file.parent / name, features | labels)
        for name, labels in columns.items()
    }


def put_file(settings: Settings, path: Path, columns: Collection[str]) -> Artifact:
    """Keep the rows of a .csv, .csv.gz or .parquet, as CSV."""
    store = _store(settings)
    for _ in read_rows(path, columns):
        pass  # a row that is broken is told now, not by the learner
    from driftline.runtime.models.artifacts import ArtifactError

    try:
        return store.put(_as_csv(path, sorted(columns)) if is_parquet(path) else _bytes(path))
    except ArtifactError as error:
        raise CommandError(f"{path} was not kept: {error}.") from None


def _store(settings: Settings) -> "ArtifactStore":
    if not settings.artifacts_url:
        raise CommandError(
            "Pipelines learn from files here, and nothing says where to keep them: set"
            f" DRIFTLINE_ARTIFACTS_URL, for instance to {LOCAL}, as the learner has it."
        )
    # fsspec comes with the extra `services`; the other commands do without.
    from driftline.runtime.models.artifacts import ArtifactError, ArtifactStore

    try:
        return ArtifactStore.at(settings.artifacts_url)
    except ArtifactError as error:
        raise CommandError(f"{error}.") from None


def _bytes(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CommandError(f"Cannot read {path}: {error}.") from None
    if len(content) > MAX_BYTES:
        raise _too_large(path)
    return content


def _as_csv(path: Path, columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in read_rows(path, columns):
        writer.writerow([row[name] for name in columns])
        if text.tell() > MAX_BYTES:
            raise _too_large(path)
    return text.getvalue().encode()


def _too_large(path: Path) -> CommandError:
    return CommandError(f"{path} is larger than {MAX_BYTES >> 20} MiB: learn from fewer rows.")
