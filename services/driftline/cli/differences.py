"""What changes between two specifications, a line per key."""

from collections.abc import Iterator
from typing import Any


def differences(before: Any, after: Any) -> list[str]:
    """Lines `+ key: value`, `- key: value`, `~ key: old -> new`, sorted by key."""
    old, new = dict(_leaves("", before)), dict(_leaves("", after))
    lines = {key: f"+ {key}: {new[key]}" for key in new.keys() - old.keys()}
    lines |= {key: f"- {key}: {old[key]}" for key in old.keys() - new.keys()}
    lines |= {
        key: f"~ {key}: {old[key]} -> {new[key]}"
        for key in old.keys() & new.keys()
        if old[key] != new[key]
    }
    return [lines[key] for key in sorted(lines)]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(dotted path, leaf); parts of a list that have a name go by it, the others by position."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), part)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            name = part.get("name") if isinstance(part, dict) else None
            rest = {k: v for k, v in part.items() if k != "name"} if name else part
            yield from _leaves(f"{path}[{name or i}]", rest)
    else:
        yield path, value
