"""The pages of docs/reference say what the code says, of everything that there is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from docs.generate import events, metrics, reading, settings
from docs.generate.markdown import anchor
from docs.generate.pages import FOLDER, pages
from driftline.core.registry.deciding import RULES

ROOT = Path(__file__).parents[2]
REMEDY = "stale: run `make reference` and check the files in"
PAGES = pages()
LINK = re.compile(r"\]\(([^)]+)\)")
READ = re.compile(r"""(?:environ\w*(?:\.get)?[([]|envvar=)\s*["'](DRIFTLINE_[A-Z_]+)""")
HOSTILE = {"COLUMNS": "30", "TERM": "xterm", "FORCE_COLOR": "1", "PYTHONHASHSEED": "7",
           "DRIFTLINE_BROKERS": "elsewhere:1", "DRIFTLINE_PANE_SECONDS": "7",
           "DRIFTLINE_API_PORT": "1"}  # fmt: skip

page = pytest.mark.parametrize("name", sorted(PAGES))


def tables(text: str) -> list[dict[str, str]]:
    """The rows of all tables, by heading."""
    rows: list[dict[str, str]] = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        if len(cells) > 2:
            rows += [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
    return rows


@page
def test_a_checked_in_page_is_what_the_code_gives(name: str) -> None:
    path = FOLDER / name
    assert path.exists(), REMEDY
    assert path.read_text(encoding="utf-8") == PAGES[name], REMEDY


def test_there_is_no_page_that_nobody_makes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES), REMEDY


def test_pages_depend_on_the_code_alone() -> None:
    script = "import sys; from docs.generate.pages import pages; sys.stdout.write(repr(pages()))"
    made = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **HOSTILE},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert made.stdout == repr(PAGES)


@page
def test_nothing_is_named_without_its_meaning(name: str) -> None:
    rows = [row for row in tables(PAGES[name]) if "meaning" in row]
    assert rows
    assert [row for row in rows if not row["meaning"]] == []


@page
def test_every_link_leads_to_a_file_or_a_heading(name: str) -> None:
    headings = re.findall(r"^#+ (.+)$", PAGES[name], re.MULTILINE)
    anchors = [anchor(heading) for heading in headings]
    assert len(anchors) == len(set(anchors)), "GitHub would number the second one"
    for target in LINK.findall(PAGES[name]):
        if target.startswith("#"):
            assert target in anchors
        else:
            assert (FOLDER / target.partition("#")[0]).exists(), target


def test_every_variable_that_the_code_reads_has_its_row() -> None:
    files = (ROOT / "services").rglob("*.py")
    read = {name for file in files for name in READ.findall(file.read_text(encoding="utf-8"))}
    assert read
    assert read - settings.variables() == set()


def test_somebody_reads_every_setting() -> None:
    rows = [row for row in tables(PAGES["settings.md"]) if "read by" in row]
    assert rows
    assert [row for row in rows if not row["read by"]] == []


def test_somebody_sets_every_metric() -> None:
    assert [name for name in metrics.named_metrics() if not metrics.setters(name)] == []


def test_metrics_are_called_as_prometheus_sees_them() -> None:
    exposed = generate_latest().decode()
    names = [metrics.exported(metric) for metric in metrics.named_metrics().values()]
    assert [name for name in names if f"# HELP {name} " not in exposed] == []


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("JOINED", ["joiner"]),
        ("LABEL_KIND_CONFLICTS", ["monitor", "learner"]),
        ("DEAD_LETTERS", ["joiner", "monitor", "learner", "registry", "alerter"]),
        ("READY", list(reading.ROLES)),
    ],
    ids=["of one role", "of two", "of all with a consumer group", "of all"],
)
def test_who_sets_a_metric_is_read_from_the_source(name: str, roles: list[str]) -> None:
    assert metrics.setters(name) == roles


def test_every_action_of_a_command_has_its_body_on_the_page() -> None:
    assert set(events.BODIES) == set(RULES)
