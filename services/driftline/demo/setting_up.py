"""Servers, settings, topics, specification and files, as an operator would set them up."""

import os
import secrets
from contextlib import ExitStack
from pathlib import Path

from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.learning_files import put_learning_files
from driftline.cli.spec_file import load_spec
from driftline.cli.topics import init_topics
from driftline.demo.plan import Plan
from driftline.demo.receiver import Receiver
from driftline.demo.show import Show
from driftline.demo.specification import write_spec
from driftline.runtime.settings import load
from driftline.servers import local_servers
from driftline.servers.ports import free_ports

PANE_SECONDS = 5
BINS_LEAD_SECONDS = 5
ROUTING_KEY = "demo0000000000000000000000000000"  # 32 characters, as PagerDuty's are


def servers(stack: ExitStack, show: Show) -> dict[str, str]:
    """Servers that already run, if the environment names them; otherwise real ones from wheels."""
    if brokers := os.environ.get("DRIFTLINE_BROKERS"):
        show.step(f"using the broker at {brokers}")
        redis = os.environ.get("DRIFTLINE_REDIS_URL", "redis://127.0.0.1:6379/0")
        prefix = os.environ.get("DRIFTLINE_TOPIC_PREFIX") or f"demo-{secrets.token_hex(4)}"
    else:
        show.step("starting a real Kafka and a real Redis (the first time their parts are fetched)")
        servers = stack.enter_context(local_servers())
        brokers, redis, prefix = servers.brokers, servers.redis_url, "demo"
        show.step(f"Kafka at {brokers}, Redis at {redis}")
    return {
        "DRIFTLINE_BROKERS": brokers,
        "DRIFTLINE_REDIS_URL": redis,
        "DRIFTLINE_TOPIC_PREFIX": prefix,
    }


def settings_for(receiver: Receiver, folder: Path) -> dict[str, str]:
    page, scorer = free_ports(2)
    artifacts = os.environ.get("DRIFTLINE_ARTIFACTS_URL", f"file://{folder}/artifacts")
    return {
        "DRIFTLINE_ARTIFACTS_URL": artifacts,
        "DRIFTLINE_API_PORT": str(page),
        "DRIFTLINE_SCORER_PORT": str(scorer),
        "DRIFTLINE_PANE_SECONDS": str(PANE_SECONDS),
        "DRIFTLINE_BINS_LEAD_SECONDS": str(BINS_LEAD_SECONDS),
        "DRIFTLINE_SLACK_WEBHOOK_URL": receiver.url("slack"),
        "DRIFTLINE_PAGERDUTY_URL": receiver.url("pagerduty"),
        "DRIFTLINE_PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
    }


def set_up(folder: Path, plan: Plan, show: Show) -> None:
    """Topics, the specification and the files, as an operator would set them up."""
    settings = load()
    init_topics(settings, "demo")
    stream = plan.stream
    file = write_spec(folder, stream, learns=plan.learns, seed=plan.seed)
    spec = load_spec(file)
    bins, files = make_bins(file, spec), put_learning_files(settings, file, spec)
    apply_spec(settings, spec, bins, files, actor="demo", reason="demo", agreed=True)
    pipelines = f", pipelines {', '.join(spec.pipelines)}" if plan.learns else ""
    show.step(
        f"applied {stream.model} ({stream.task}): {len(spec.features)} features, bins from"
        f" {stream.known:,} rows{pipelines}"
    )
    for name, why in stream.left_out.items():
        show.step(f"column {name!r} is left out: {why}")
