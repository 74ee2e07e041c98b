"""`driftline retrain MODEL PIPELINE`: it learns again, beside what is there."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from driftline.cli.console import Brokers, Json, Prefix, reached
from driftline.cli.errors import CommandError
from driftline.cli.learning_files import put_file
from driftline.cli.registry_view import known_model
from driftline.cli.sending import Actor, ModelName, Reason, Registry, tell
from driftline.core.registry.models import ModelState
from driftline.runtime.group_looks import GroupLooks
from driftline.runtime.ports import TP
from driftline.runtime.settings import Settings
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Artifact
from driftline_schemas.spec import Warm
from driftline_schemas.topics import JOURNAL


def retrain(
    model: ModelName,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="One of its specification.")],
    reason: Reason,
    source: Annotated[
        str, typer.Option("--from", help="A file, or a range of journal offsets: FIRST..LAST.")
    ],
    passes: Annotated[int, typer.Option(help="How often over it.", min=1, max=1_000)] = 1,
    actor: Actor = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Ask the learner for a new lineage of a pipeline."""
    settings = reached(brokers, prefix)
    registry = Registry(settings)
    known = known_model(registry.state, model)
    body: dict[str, Any] = {"model": model, "pipeline": pipeline, "passes": passes}
    body["from"] = parse_source(source)
    if isinstance(body["from"], list):
        check_range(model, body["from"], journal_end(settings, model))
    else:
        body["artifact"] = _kept(settings, known, pipeline, Path(source)).model_dump(mode="json")
    fact = registry.send("retrain", body, actor=actor, reason=reason)
    tell(fact, f"{model}/{pipeline} is to learn again from {source}", as_json=json)


def _kept(settings: Settings, model: ModelState, pipeline: str, file: Path) -> Artifact:
    """The bytes of the file, where the learner finds them."""
    spec = model.spec.body.spec if model.spec else None
    if spec is None or pipeline not in spec.pipelines:
        known = ", ".join(sorted(spec.pipelines)) if spec else "no spec"
        raise CommandError(f"{model.name} has no pipeline {pipeline!r} (it has: {known}).")
    source = spec.train.get(pipeline) or spec.warm.get(pipeline)
    label = spec.label_column(source or Warm(file=str(file)))
    if label is None:
        raise CommandError(
            f"The spec of {model.name} does not say which column is the label: add"
            f" `warm: {{{pipeline}: {{file: ..., label: ...}}}}` or a reference with a label."
        )
    return put_file(settings, file, {label, *(feature.name for feature in spec.features)})


def check_range(model: str, wanted: list[int], end: int) -> None:
    """CommandError for a range that reaches beyond the journal, which ends before offset `end`."""
    first, last = wanted
    if last >= end:
        raise CommandError(
            f"{first}..{last} reaches beyond the journal of {model}"
            + (f": its last offset is {end - 1}." if end else ", which is empty.")
        )


def journal_end(settings: Settings, model: str) -> int:
    """The offset that the next record of the model's journal will get."""
    place = TP(JOURNAL.full_name(settings.topic_prefix), partition_of(model, JOURNAL.partitions))
    return GroupLooks(settings.brokers, settings.topic_prefix).ends([place])[place]


def parse_source(text: str) -> str | list[int]:
    """`10..250` is a range of the journal, everything else a file."""
    if not (found := re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", text, re.ASCII)):
        return text
    return [int(found[1]), int(found[2])]
