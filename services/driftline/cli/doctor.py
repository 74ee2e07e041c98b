"""`driftline doctor`: what is wrong here, and how is it mended?"""

from collections.abc import Sequence
from dataclasses import asdict
from types import ModuleType
from typing import Final

import typer
from rich.table import Table
from rich.text import Text

from driftline.cli.checks import (
    agreement,
    brokers,
    clocks,
    groups,
    labels,
    placement,
    stores,
    topics,
    waiting,
)
from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding
from driftline.cli.console import (
    Brokers,
    Json,
    Prefix,
    counted,
    put_json,
    screen,
    settings_of,
    spinning,
    visible,
)
from driftline.cli.examination import examine
from driftline_schemas.topics import TOPICS

# What each needs: all of them where the topics are there, the first four otherwise.
OUTSIDE: Final[Sequence[ModuleType]] = (brokers, topics, agreement, stores)
INSIDE: Final[Sequence[ModuleType]] = (groups, placement, labels, clocks, waiting)
STYLES: Final = {"ok": "green", "warning": "yellow", "error": "bold red"}


def doctor(brokers: Brokers = None, prefix: Prefix = None, json: Json = False) -> None:
    """Examine servers, topics, settings, groups and records. Exit code 1: there is an error.

    It takes about ten seconds and changes nothing.
    """
    settings = settings_of(brokers, prefix)
    with spinning("Looking at the brokers") as say:
        seen = examine(settings, lambda what: say(f"Looking at {what}"))
    findings = diagnose(seen)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = sum(finding.severity == "warning" for finding in findings)
    if json:
        put_json({"prefix": settings.topic_prefix, "errors": errors, "warnings": warnings,
                  "findings": [asdict(finding) for finding in findings]})  # fmt: skip
    else:
        _show(findings, errors, warnings)
    if errors:
        raise typer.Exit(1)


def diagnose(seen: Evidence) -> list[Finding]:
    """What all checks say, the worst first; a check without a fault says what is well."""
    checks = [*OUTSIDE, *(INSIDE if len(seen.topics) == len(TOPICS) else ())]
    findings: list[Finding] = []
    for check in checks:
        found = list(check.check(seen))
        findings += found or [Finding(check.CHECK, "ok", f"{check.told(seen)}.")]
    ranks = list(STYLES)
    return sorted(findings, key=lambda finding: -ranks.index(finding.severity))


def _show(findings: Sequence[Finding], errors: int, warnings: int) -> None:
    console, table = screen(), Table.grid(padding=(0, 2, 0, 0))
    for finding in findings:
        severity = Text(finding.severity, STYLES[finding.severity])
        if finding.mend:
            table.add_row(severity, visible(finding.what))
            table.add_row("", Text(visible(finding.mend), "dim"))
        else:
            table.add_row(severity, visible(f"{finding.check}: {finding.what}"))
    console.print(table)
    verdict = (
        f"{counted(errors, 'error')}, {counted(warnings, 'warning')}."
        if errors or warnings
        else "All is well."
    )
    console.print(verdict)
