"""What commands and API tell about a model and its versions. Pure."""

from typing import Any

from driftline.core.registry.models import ModelState, Version
from driftline_schemas.fields import format_time


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
    serving = model.versions.get(deployed.body.version_id) if deployed else None
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
