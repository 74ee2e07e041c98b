"""The checked-in JSON Schemas say what the models say."""

import orjson
import pytest

from driftline_schemas.json_schemas import DIALECT, FOLDER, json_schemas

REMEDY = "stale: run `python -m driftline_schemas.json_schemas` and check the files in"
SCHEMAS = json_schemas()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_checked_in_schema_is_that_of_its_model(name: str) -> None:
    path = FOLDER / name
    assert path.exists(), REMEDY
    assert path.read_bytes() == SCHEMAS[name], REMEDY


def test_there_is_no_schema_of_an_event_that_is_gone() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(SCHEMAS), REMEDY


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_names_its_dialect_and_what_it_describes(name: str) -> None:
    schema = orjson.loads(SCHEMAS[name])
    assert schema["$schema"] == DIALECT
    assert schema["description"]


def test_a_record_of_the_journal_must_say_its_kind() -> None:
    required = [set(orjson.loads(SCHEMAS[f"{kind}.v1.json"])["required"])
                for kind in ("joined", "correction", "counts", "mark", "bins-control")]  # fmt: skip
    assert all("kind" in names for names in required)
    assert "action" in required[-1]


def test_an_editor_points_at_an_unknown_key_of_a_spec() -> None:
    assert orjson.loads(SCHEMAS["model-spec.json"])["additionalProperties"] is False
