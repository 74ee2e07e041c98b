"""Do this process's settings agree with what the installation was set up with?"""

from collections.abc import Iterator

from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding, error, warning
from driftline.runtime.installation import compared

CHECK = "settings"


def check(seen: Evidence) -> Iterator[Finding]:
    """Each setting that differs, each topic that is not the one of the first day."""
    if seen.registry_trouble:
        yield error(CHECK, seen.registry_trouble, "Run `driftline verify registry`.")
    if seen.registry is None:
        return
    agreed = seen.registry.installation
    if agreed is None:
        if seen.topics:
            yield error(CHECK, f"The installation {seen.settings.topic_prefix} is not set up.",
                        "Run `driftline topics init`.")  # fmt: skip
        return
    for name, theirs, ours in compared(agreed, seen.settings):
        if theirs is not None and theirs != ours:
            yield error(
                CHECK,
                f"DRIFTLINE_{name} is {ours} here, and the installation was set up with {theirs}:"
                " a service with these settings refuses to start.",
                "Give every process the same value, or mean another installation with"
                " DRIFTLINE_TOPIC_PREFIX.",
            )
    for topic, topic_id in agreed.topic_ids.items():
        found = seen.topics.get(topic)
        if found is not None and found.topic_id != topic_id:
            yield error(
                CHECK,
                f"{topic} was deleted and created again since the installation was set up: its"
                " offsets mean other records now.",
                "Set up a new installation under another DRIFTLINE_TOPIC_PREFIX.",
            )
    learns = any(model.spec and model.spec.body.spec.pipelines
                 for model in seen.registry.models.values())  # fmt: skip
    if learns and seen.settings.artifacts_url is None:
        yield warning(
            CHECK,
            "Models learn here, and this process does not know where their artifacts lie.",
            "Set DRIFTLINE_ARTIFACTS_URL as the learner has it.",
        )


def told(seen: Evidence) -> str:
    """When all is well."""
    return f"they agree with the installation {seen.settings.topic_prefix}"
