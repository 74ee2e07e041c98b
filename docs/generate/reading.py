"""Which processes use a thing? Answered from the source: what a role's modules import and mention.

A module that is imported for a constant alone is not followed: that runs none of its code.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from driftline.cli.run import Role

SERVICES: Final = Path(__file__).parents[2] / "services"
COMMANDS: Final = "driftline.cli.app"
RUN: Final = "driftline.cli.run"  # the command that becomes a role's process, so not followed
ROLES: Final = tuple(role.value for role in Role)


def entry(role: str) -> str:
    """The module that builds a role's process."""
    return f"driftline.{role}.app"


@cache
def mentioned(module: str, owner: str) -> frozenset[str]:
    """Names that the module and all that it imports mention as `owner.NAME` or `x._owner.NAME`."""
    return frozenset(name for each in _reached(module) for name in _attributes(each, owner))


@cache
def _reached(module: str) -> frozenset[str]:
    """The module and, over imports at any place in it, all others of ours."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        if (each := waiting.pop()) not in seen and _file(each) is not None:
            seen.add(each)
            waiting += (name for name in _imported(each) if not name.startswith(RUN))
    return frozenset(seen)


def _file(module: str) -> Path | None:
    place = SERVICES.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.exists()), None)


@cache
def _tree(module: str) -> ast.Module:
    if (file := _file(module)) is None:
        raise ModuleNotFoundError(module)
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _imported(module: str) -> tuple[str, ...]:
    return tuple(_imports(module))


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [alias.name for alias in node.names if not alias.name.isupper()]
            if names:
                yield node.module
            yield from (f"{node.module}.{name}" for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@cache
def _attributes(module: str, owner: str) -> frozenset[str]:
    nodes = (node for node in ast.walk(_tree(module)) if isinstance(node, ast.Attribute))
    return frozenset(node.attr for node in nodes if _is_named(node.value, owner))


def _is_named(node: ast.expr, owner: str) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr.lstrip("_") == owner
    return isinstance(node, ast.Name) and node.id == owner
