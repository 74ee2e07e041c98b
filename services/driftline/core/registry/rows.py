"""What commands and API tell about a model and its versions. Pure."""

from typing import Any

from driftline.core.registry.models import ModelState
from driftline.core.registry.version_list import Version
from driftline_schemas.fields import format_time
from driftline_schemas.registry import Origin, TestSetResult


def beginning_said(model: ModelState, version: Version) -> str | None:
    """What the version knew before it learned from the journal: `made by fact 173 from march.csv, 3
    passes`, `made from fixed.csv`, `a fork of m/p/v4`; None if that was nothing."""
    origin = version.recipe.origin
    if origin is None:
        return None
    if origin.version is not None:
        left = model.versions.get(origin.version)
        return f"a fork of {left.name if left else origin.version}"
    by = "made" if origin.fact is None else f"made by fact {origin.fact}"
    passes = f", {origin.passes} passes" if (origin.passes or 1) > 1 else ""
    return f"{by} from {_source(model, origin)}{passes}"


def _source(model: ModelState, origin: Origin) -> str:
    if origin.journal is not None:
        first, last = origin.journal
        return f"offsets {first}..{last} of the journal"
    name = model.retrained_from.get(-1 if origin.fact is None else origin.fact)
    if name is None and model.spec is not None:
        files = model.spec.body.files or {}
        name = next((name for name in files if files[name].sha256 == origin.file), None)
    return name or f"a file with sha256 {origin.file}"


def learned_since(version: Version) -> str:
    """Which records of the journal it learned."""
    first, last = version.recipe.offsets
    return f"offsets {first}..{last}" if first <= last else "no label of the journal yet"


def test_set_said(result: TestSetResult) -> str:
    """`accuracy 0.812 on fixed.csv, the floor is 0.8`."""
    floor = "" if result.floor is None else f", the floor is {result.floor:.4g}"
    return f"accuracy {result.value:.4g} on {result.name}{floor}"


def version_row(model: ModelState, version: Version) -> dict[str, Any]:
    """What is told about a version."""
    recipe = version.recipe
    serving = model.deployed is not None and model.deployed.body.version_id == version.version_id
    return {
        "name": version.name,
        "version_id": version.version_id,
        "lineage": version.lineage,
        "parent": recipe.parent,
        "spec_hash": recipe.spec_hash,
        "origin": recipe.origin and recipe.origin.model_dump(exclude_none=True),
        "beginning": beginning_said(model, version),
        "offsets": list(recipe.offsets),
        "state_hash": recipe.state_hash,
        "artifact": recipe.artifact.model_dump(),
        "metrics": recipe.metrics,
        "test_set": recipe.test_set and recipe.test_set.model_dump(exclude_none=True),
        "created_ts": format_time(recipe.created_ts),
        "serving": serving,
        "held": version.lineage in model.held,
    }


def model_row(model: ModelState) -> dict[str, Any]:
    """What is told about a model."""
    spec, deployed = model.spec, model.deployed
    serving = deployed.version if deployed else None
    return {
        "model": model.name,
        "task": spec.body.spec.task if spec else None,
        "spec_hash": spec.body.spec_hash if spec else None,
        "follow": spec.body.spec.follow if spec else False,
        "versions": len(model.versions),
        "serving": serving.name if serving else None,
        "deployment_seq": model.deployment_seq,
        "since": format_time(deployed.decided.at) if deployed else None,
        "held": sorted(model.held),
    }
