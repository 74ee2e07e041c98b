"""The compose file and the image keep what docs/containers.md promises."""

import os
import re
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import yaml

from driftline.api.settings import ApiSettings
from driftline.cli.run import Role
from driftline.runtime.service import STOP_SECONDS
from driftline.runtime.settings import SECRETS, Settings
from driftline.scorer.settings import ScorerSettings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = sorted(role.value for role in Role)
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def test_every_role_is_a_service_of_its_own() -> None:
    commands = {name: SERVICES[name]["command"] for name in ROLES}

    assert commands == {name: ["run", name] for name in ROLES}
    assert set(OURS) == {*ROLES, "topics", "cli"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_is_confined(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "network_mode", "container_name"} & set(service)
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert "docker.sock" not in str(service.get("volumes", ""))


@pytest.mark.parametrize("name", OURS)
def test_our_containers_write_nothing_but_tmp_and_volumes(name: str) -> None:
    service = SERVICES[name]
    artifacts = [v for v in service.get("volumes", []) if v.startswith("artifacts:")]
    wanted = {"learner": [""], "monitor": [""], "cli": [""], "scorer": [":ro"]}.get(name, [])

    assert service["read_only"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert artifacts == [f"artifacts:/var/lib/driftline/artifacts{mode}" for mode in wanted]
    assert "cap_add" not in service


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_checked_comes_back_and_may_finish(name: str) -> None:
    service = SERVICES[name]

    assert service["healthcheck"]["test"] == ["CMD", "is-ready"]
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) >= max(20, 2 * STOP_SECONDS)
    assert service["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


def test_ports_are_published_on_loopback_and_those_of_workers_not_at_all() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert set(published) == {"kafka", "scorer", "api", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


@pytest.mark.parametrize("name", OURS)
def test_settings_are_known_and_secrets_come_by_file(name: str) -> None:
    known = {
        prefix + field
        for prefix, settings in (
            ("DRIFTLINE_", Settings), ("DRIFTLINE_API_", ApiSettings),
            ("DRIFTLINE_SCORER_", ScorerSettings),
        )
        for field in map(str.upper, settings.model_fields)
    }  # fmt: skip
    given = SERVICES[name]["environment"]
    files = {name: value for name, value in given.items() if name.endswith("_FILE")}

    assert set(given) <= known
    assert not set(given) & {f"DRIFTLINE_{secret.upper()}" for secret in SECRETS}
    assert "DRIFTLINE_SCORER_TOKEN" not in given
    assert set(files.values()) == {f"/run/secrets/{n}" for n in SERVICES[name].get("secrets", [])}


def test_secrets_lie_where_git_does_not_look() -> None:
    files = [Path(secret["file"]) for secret in COMPOSE["secrets"].values()]

    assert {file.parent for file in files} == {Path("deploy/secrets")}
    assert (DEPLOY / "secrets" / ".gitignore").read_text() == "*\n!.gitignore\n"


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    script = copy(DEPLOY / "make-secrets", tmp_path)
    subprocess.run([script], check=True, capture_output=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    (tmp_path / "secrets" / "webhook_url").write_text("https://example.org/hook")
    subprocess.run([script], check=True, capture_output=True)

    assert set(made) == set(COMPOSE["secrets"])
    tokens = {name: text for name, text in made.items() if text}
    assert set(tokens) == {"api_token", "scorer_token", "grafana_password"}
    assert len(set(tokens.values())) == len(tokens)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{40}\n", text) for text in tokens.values())
    assert (tmp_path / "secrets" / "api_token").read_text() == made["api_token"]
    assert (tmp_path / "secrets" / "webhook_url").read_text() == "https://example.org/hook"
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_the_image_runs_as_a_numbered_user_and_is_built_from_the_lock() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE, re.MULTILINE)
    assert 'ENTRYPOINT ["driftline"]' in DOCKERFILE
    assert re.search(r"uv==\d+\.\d+\.\d+", DOCKERFILE)
    assert DOCKERFILE.count("uv sync --quiet --locked --no-dev --no-editable") == 2
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {
        "python:3.11-slim-bookworm"
    }


def test_the_build_sees_what_it_copies_and_no_secret() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    seen = {line[1:] for line in ignored if line.startswith("!")}
    lines = [line.split() for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    copied = {name for line in lines if "--from=build" not in line for name in line[1:-1]}

    assert "*" in ignored
    assert seen == copied


@contextmanager
def probe(status: int, sentence: str) -> Iterator[int]:
    """A health server that answers always the same; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(sentence.encode())

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_ready(port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DRIFTLINE_METRICS_PORT": str(port)}
    return subprocess.run(
        [DEPLOY / "is-ready"], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("status", "sentence", "code"),
    [(200, "ready\n", 0), (503, "no broker answers at kafka:19092\n", 1)],
    ids=["ready", "not ready"],
)
def test_the_health_check_is_what_readyz_says(status: int, sentence: str, code: int) -> None:
    with probe(status, sentence) as port:
        answer = is_ready(port)

    assert (answer.returncode, answer.stdout) == (code, sentence)


def test_the_health_check_fails_where_nothing_listens() -> None:
    with socket.socket() as silent:  # the port is nobody else's meanwhile
        silent.bind(("127.0.0.1", 0))
        assert is_ready(silent.getsockname()[1]).returncode == 1
