"""Bytes by content address: whole or not at all, checked when read."""

import errno
import os
from collections.abc import Callable, Iterator
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


@pytest.mark.parametrize("left", [b"a madel", b"a mo", b""])
def test_damaged_bytes_are_refused_and_written_again(tmp_path: Path, left: bytes) -> None:
    store = ArtifactStore.at(str(tmp_path))
    artifact = store.put(b"a model")
    file = tmp_path / artifact.sha256[:2] / artifact.sha256
    file.write_bytes(left)
    with pytest.raises(ArtifactError, match="damaged"):
        store.get(artifact)
    store.put(b"a model")
    assert store.get(artifact) == b"a model"


def test_a_volume_that_is_not_mounted_is_away_and_nothing_is_gone(tmp_path: Path) -> None:
    place, away = tmp_path / "artifacts", tmp_path / "away"
    store = ArtifactStore.at(str(place))
    artifact = store.put(b"a model")
    place.rename(away)
    place.mkdir()
    for asked in (store, ArtifactStore.at(str(place))):
        with pytest.raises(ArtifactUnavailableError, match="is its volume mounted"):
            asked.get(artifact)
    with pytest.raises(ArtifactUnavailableError, match="is its volume mounted"):
        store.put(b"another")
    place.rmdir()
    away.rename(place)
    assert store.get(artifact) == b"a model"
    store.put(b"another")


class ClientError(Exception):
    """Clients of object stores raise kinds of their own."""


@pytest.mark.parametrize("what", ["open", "exists", "rm_file"])
def test_whatever_a_client_raises_the_store_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    store = ArtifactStore.at(str(tmp_path))
    artifact = store.put(b"a model")

    def slow_down(*_: object, **__: object) -> None:
        raise ClientError("503 slow down")

    monkeypatch.setattr(f"fsspec.implementations.local.LocalFileSystem.{what}", slow_down)
    ask: dict[str, Callable[[], object]] = {
        "open": lambda: store.get(artifact),
        "exists": lambda: store.put(b"another"),
        "rm_file": lambda: store.remove(artifact.sha256),
    }
    with pytest.raises(ArtifactUnavailableError, match="503 slow down"):
        ask[what]()


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
