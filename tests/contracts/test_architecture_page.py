"""The architecture page, the glossary and the decisions say what the code says."""

import re
import tomllib
from pathlib import Path

import pytest

from driftline_schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(DOCS / f"{name}.md" for name in ("architecture", "glossary", "concepts")),
    *sorted(DOCS.glob("decisions/*.md")),
]
ARCHITECTURE = (DOCS / "architecture.md").read_text()
GLOSSARY = (DOCS / "glossary.md").read_text()
SERVICES = ROOT / "services" / "driftline"


def section(title: str) -> str:
    """The text under one heading of the architecture page."""
    return ARCHITECTURE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [i for i, row in enumerate(tables) if set(row[0]) == {"-"}]
    return [row for i, row in enumerate(tables) if i not in rules and i + 1 not in rules]


def test_the_layers_are_those_of_the_import_contract_in_the_same_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [each for each in contracts["contracts"] if each["type"] == "layers"]
    enforced = [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]
    numbered = [line for line in section("Layers").splitlines() if re.match(r"\d+\. ", line)]
    assert [quoted(line) for line in numbered] == enforced


def test_every_layer_has_its_folder_on_the_page() -> None:
    named = set(quoted(section("Folders")))
    layers = [name for name in quoted(section("Layers")) if name.startswith("driftline.")]
    assert {f"services/{name.replace('.', '/')}/" for name in layers} <= named


def test_every_service_that_has_a_folder_has_its_row() -> None:
    built = {path.parent.name for path in SERVICES.glob("*/app.py")} - {"cli"}
    assert {row[0] for row in rows(section("Services"))} == built


def test_a_service_reads_and_writes_topics_of_the_table_only() -> None:
    known = {topic.name for topic in TOPICS}
    for _service, consumes, produces, _keeps in rows(section("Services")):
        assert quoted(consumes)
        assert {*quoted(consumes), *quoted(produces)} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_folder_and_file_that_a_page_names_exists(page: Path) -> None:
    """A path has a slash and begins at the root, or (in the glossary) at the services' folder."""
    paths = [name for name in quoted(page.read_text()) if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", name)]
    roots = (ROOT, SERVICES) if page.stem == "glossary" else (ROOT,)
    missing = [path for path in paths if not any((root / path).exists() for root in roots)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_to_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_metric_that_a_page_names_is_exported(page: Path) -> None:
    exported = (SERVICES / "runtime" / "metrics.py").read_text()
    metrics = [
        name for name in quoted(page.read_text()) if re.fullmatch(r"driftline_[a-z_]+", name)
    ]
    missing = [name for name in metrics if f'"{name}"' not in exported]
    assert [name for name in missing if name != "driftline_schemas"] == []


def test_the_glossary_fixes_each_word_once() -> None:
    words = [row[0] for row in rows(GLOSSARY)]
    assert len(words) > 50
    assert sorted(set(words)) == sorted(words)


def test_the_glossary_has_a_word_for_each_topic_that_a_service_writes() -> None:
    written = {name for row in rows(section("Services")) for name in quoted(row[2])}
    assert [name for name in written if f"`{name}`" not in GLOSSARY] == []


def test_every_decision_is_on_the_page() -> None:
    decisions = {f"decisions/{path.name}" for path in DOCS.glob("decisions/*.md")}
    assert set(re.findall(r"\]\((decisions/[^)]+)\)", ARCHITECTURE)) == decisions
