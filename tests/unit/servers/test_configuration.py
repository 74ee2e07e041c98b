"""The configuration files say what the servers need, and nothing lies outside their folder."""

from pathlib import Path

from driftline.servers.configuration import (
    Layout,
    Ports,
    kafka_command,
    redis_conf,
    server_properties,
)

PLAIN = Ports(kafka=20_001, controller=20_002, redis=20_003)
PROXIED = Ports(kafka=20_001, controller=20_002, redis=20_003, proxied=20_004, proxy=30_000)


def _properties(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_kafka_listens_on_loopback_only_and_advertises_where_it_listens() -> None:
    properties = _properties(server_properties(PLAIN))
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert properties["advertised.listeners"] == properties["listeners"]
    assert "PROXY" not in server_properties(PLAIN)


def test_clients_of_the_proxied_listener_are_sent_to_the_proxy() -> None:
    properties = _properties(server_properties(PROXIED))
    assert "PROXY://127.0.0.1:20004" in properties["listeners"].split(",")
    assert "PROXY://127.0.0.1:30000" in properties["advertised.listeners"].split(",")
    assert "PROXY:PLAINTEXT" in properties["listener.security.protocol.map"].split(",")


def test_topics_are_never_made_by_asking_for_them() -> None:
    properties = _properties(server_properties(PLAIN))
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["group.initial.rebalance.delay.ms"] == "0"
    assert properties["group.min.session.timeout.ms"] == "1000"


def test_redis_keeps_an_append_only_file_and_evicts_nothing() -> None:
    lines = redis_conf(PLAIN, Layout(Path('/a "quoted" folder'))).splitlines()
    assert {"bind 127.0.0.1", "port 20003", "appendonly yes", "appendfsync everysec"} <= {*lines}
    assert "maxmemory-policy noeviction" in lines
    assert r'dir "/a \"quoted\" folder/redis"' in lines


def test_java_leaves_nothing_outside_the_folder() -> None:
    command = kafka_command(Path("/java"), [Path("/a.jar"), Path("/b.jar")], Layout(Path("/d")))
    assert "-XX:-UsePerfData" in command
    assert "-Djava.io.tmpdir=/d/tmp" in command
    assert command[command.index("-cp") + 1] == "/a.jar:/b.jar"
