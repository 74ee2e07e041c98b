"""Does every broker of the cluster answer?"""

from collections.abc import Iterator

from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding, error

CHECK = "brokers"


def check(seen: Evidence) -> Iterator[Finding]:
    """A broker that is away holds back what it leads."""
    for broker in seen.cluster:
        if broker.trouble:
            yield error(
                CHECK,
                f"The cluster sends clients to {broker.address}, which does not answer:"
                f" {broker.trouble}.",
                "Start that broker, or correct its advertised.listeners.",
            )


def told(seen: Evidence) -> str:
    """When all is well."""
    releases = sorted({broker.release or "?" for broker in seen.cluster})
    return f"{len(seen.cluster)} of {len(seen.cluster)} answer, Kafka {', '.join(releases)}"
