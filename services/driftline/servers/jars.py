"""Which jars make up Kafka, and are those on the disk exactly the locked ones?

`kafka.lock.toml` is the lock that jgo 3.2.0 wrote when it resolved the two coordinates below (the
`!` keeps every artefact's own versions). Fetching resolves nothing: it takes the locked files.

    org.apache.kafka:kafka_2.13:4.3.1!
    org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!
"""

import hashlib
import os
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from driftline.servers.errors import ServersError
from driftline.servers.locks import exclusive
from driftline.servers.wheels import cache_directory, missing

LOCK_FILE = Path(__file__).with_name("kafka.lock.toml")
_PARALLEL = 8  # downloads at once: they wait for the network, not for us
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One file of the lock: its Maven coordinate and the SHA-256 of its bytes, in hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked_jars(lock: Path = LOCK_FILE) -> tuple[LockedJar, ...]:
    """The jars of a lock that jgo wrote, in its order (which is that of the class path)."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return tuple(
        LockedJar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"])
        for entry in entries
    )


def kafka_jars(cache: Path | None = None, lock: Path = LOCK_FILE) -> tuple[Path, ...]:
    """The verified jars of Kafka; fetched first if the cache lacks some, else without network.

    Safe for several processes at once: one fetches, the others wait and use what it fetched.

    Raises:
        ServersError: the network or the cache fails, or a jar is not the locked one.
    """
    jars = locked_jars(lock)
    folder = (cache or cache_directory()) / "kafka-jars"
    if _absent(jars, folder):
        try:
            _fill(jars, folder)
        except OSError as error:
            raise ServersError(
                f"The jars of Kafka cannot be kept in {folder} ({error.strerror}); "
                "name a folder that you may write in DRIFTLINE_CACHE_DIR."
            ) from error
    verify(jars, folder)
    return tuple(folder / jar.name for jar in jars)


def verify(jars: Iterable[LockedJar], folder: Path) -> None:
    """Compare every jar in `folder` with its locked SHA-256.

    Raises:
        ServersError: one differs.
    """
    for jar in jars:
        _verify(folder / jar.name, jar)


def _verify(path: Path, jar: LockedJar) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise ServersError(
            f"{path} is not the locked {jar.name} (SHA-256 {found[:12]}..., locked is "
            f"{jar.sha256[:12]}...); remove the file to have it fetched again."
        )


def _absent(jars: Iterable[LockedJar], folder: Path) -> list[LockedJar]:
    return [jar for jar in jars if not (folder / jar.name).is_file()]


def _fill(jars: Sequence[LockedJar], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "fetch.lock"), _staging(folder) as staging:
        absent = _absent(jars, folder)  # again: another process may have fetched meanwhile
        for jar, fetched in zip(absent, _fetch(absent, staging), strict=True):
            _refuse_a_wrong_download(fetched, jar)
            # The name appears only when the bytes are whole and verified.
            os.replace(fetched, folder / jar.name)


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    staging = folder / "staging"
    shutil.rmtree(staging, ignore_errors=True)  # what a killed fetch left
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _refuse_a_wrong_download(fetched: Path, jar: LockedJar) -> None:
    try:
        _verify(fetched, jar)
    except ServersError as error:
        raise ServersError(
            f"The {jar.name} that was fetched is not the locked one, so it was thrown away; "
            "try again, and mistrust the network or mirror if it stays."
        ) from error


def _fetch(jars: Sequence[LockedJar], staging: Path) -> list[Path]:
    if not jars:
        return []
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as error:
        raise missing("jgo") from error
    context = MavenContext(
        resolver=PythonResolver(), repo_cache=staging, remote_repos=_remote(), timeout=_TIMEOUT_S
    )

    def fetch(jar: LockedJar) -> Path:
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        try:
            return Path(component.artifact().resolve())
        except (OSError, RuntimeError, ImportError) as error:  # requests' are OSErrors; no ssl
            raise _unfetched(jar, staging.parent, error) from error

    with ThreadPoolExecutor(_PARALLEL) as pool:
        fetching = [pool.submit(fetch, jar) for jar in jars]
        try:
            return [future.result() for future in fetching]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _remote() -> dict[str, str] | None:
    """A mirror of Maven Central if DRIFTLINE_MAVEN_URL names one; None is Central itself."""
    mirror = os.environ.get("DRIFTLINE_MAVEN_URL")
    return {"mirror": mirror.rstrip("/")} if mirror else None


def _unfetched(jar: LockedJar, folder: Path, error: Exception) -> ServersError:
    reason = "not found there" if isinstance(error, RuntimeError) else type(error).__name__
    return ServersError(
        f"The jars of Kafka could not be fetched ({jar.name}: {reason}); go online once, name a "
        f"mirror of Maven Central in DRIFTLINE_MAVEN_URL, or put the jars into {folder}."
    )
