"""A real Kafka and a real Redis on any machine with Python: for the demo, tests and laptops."""

from driftline.servers.daemon import default_directory, down, status, up
from driftline.servers.errors import ServersError
from driftline.servers.jars import kafka_jars
from driftline.servers.local import LocalServers, local_servers
from driftline.servers.state import Status

__all__ = [
    "LocalServers",
    "ServersError",
    "Status",
    "default_directory",
    "down",
    "kafka_jars",
    "local_servers",
    "status",
    "up",
]
