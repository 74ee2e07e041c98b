"""The verifier of learning is a second opinion only while it shares no more than River."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tests.verifier.learning

FOLDER = Path(tests.verifier.learning.__file__).parent
ALLOWED = {"confluent_kafka", "numpy", "orjson", "river", *sys.stdlib_module_names}
LOADED = """
import sys
import tests.verifier.learning.__main__
print([name for name in sys.modules if name.startswith("driftline")])
"""


def packages(source: str) -> set[str]:
    """The packages that a file imports; of ours the whole name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return {name if name.startswith("tests.") else name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_each_file_imports_river_and_what_reads_topics(path: Path) -> None:
    for name in packages(path.read_text()):
        assert name in ALLOWED or name.startswith("tests.verifier.")
        assert name not in ("importlib", "pickle")


def test_nothing_of_driftline_is_loaded_with_it() -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
