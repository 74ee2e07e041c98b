"""The verifier is a second opinion only while it shares no code with what it judges."""

import ast
from pathlib import Path

import pytest

import tests.verifier

FOLDER = Path(tests.verifier.__file__).parent
ALLOWED = {"confluent_kafka", "kafka", "numpy", "orjson"}


def imported(source: str) -> set[str]:
    """The modules that a source file names in imports, also in those of functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Name) and node.id in ("__import__", "import_module", "importlib"):
            names.add("driftline: by name")
    return names


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_no_file_of_the_verifier_imports_driftline(path: Path) -> None:
    for module in imported(path.read_text()):
        assert not module.startswith((".", "driftline"))
        assert not module.startswith("tests.") or module.startswith("tests.verifier.")


@pytest.mark.parametrize(
    "source",
    [
        "import driftline.core",
        "def late():\n    from driftline_schemas import codec",
        "import_module('driftline')",
    ],
)
def test_an_import_of_driftline_is_found_wherever_it_hides(source: str) -> None:
    assert any(module.startswith("driftline") for module in imported(source))
