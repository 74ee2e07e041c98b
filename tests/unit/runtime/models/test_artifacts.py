"""Bytes by content address: whole or not at all, checked when read."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]  # ships no types
import pytest

from driftline.runtime.models.artifacts import (
    ArtifactError,
    ArtifactStore,
    ArtifactUnavailableError,
)


@pytest.fixture(params=["folder", "file url", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    urls = {"folder": str(tmp_path), "file url": f"file://{tmp_path}", "memory": "memory://models"}
    yield ArtifactStore.at(urls[request.param])
    fsspec.filesystem("memory").store.clear()


def test_what_was_put_is_got(store: ArtifactStore) -> None:
    artifact = store.put(b"a model")
    assert store.get(artifact) == b"a model"
    assert artifact.bytes == 7
    assert artifact.uri.endswith(artifact.sha256)
    assert store.put(b"a model") == artifact


def test_what_is_gone_is_said_so(store: ArtifactStore) -> None:
    artifact = store.put(b"a model")
    gone = artifact.model_copy(update={"sha256": "f" * 64})
    with pytest.raises(ArtifactError, match="gone"):
        store.get(gone)


def test_damaged_bytes_are_refused_and_shorter_ones_written_again(tmp_path: Path) -> None:
    store = ArtifactStore.at(str(tmp_path))
    artifact = store.put(b"a model")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(b"a madel")
    with pytest.raises(ArtifactError, match="damaged"):
        store.get(artifact)
    file.write_bytes(b"a mo")
    with pytest.raises(ArtifactError, match="damaged"):
        store.get(artifact)
    store.put(b"a model")
    assert store.get(artifact) == b"a model"


def test_a_full_disk_gives_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match=r"^the disk is full: [^\n]*$"):
        ArtifactStore.at(str(tmp_path)).put(b"a model")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot write"):
        ArtifactStore.at(str(tmp_path / "file")).put(b"a model")


def test_an_address_that_nobody_serves_gives_one_sentence() -> None:
    with pytest.raises(ArtifactError, match="cannot be kept"):
        ArtifactStore.at("nowhere://models")


def test_what_was_removed_is_gone_and_may_be_removed_again(store: ArtifactStore) -> None:
    artifact = store.put(b"bytes")
    assert store.place(artifact.sha256, 5) == artifact
    store.remove(artifact.sha256)
    store.remove(artifact.sha256)
    with pytest.raises(ArtifactError, match="is gone"):
        store.get(artifact)


def test_a_store_that_does_not_answer_is_told_from_bytes_that_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore.at(str(tmp_path))
    artifact = store.put(b"bytes")

    def away(*_: object, **__: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.open", away)
    with pytest.raises(ArtifactUnavailableError, match="Connection reset"):
        store.get(artifact)
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.rm_file", away)
    with pytest.raises(ArtifactUnavailableError):
        store.remove(artifact.sha256)
