"""Which pages are generated, and where do they lie?"""

from pathlib import Path
from typing import Final

from docs.generate import commands, events, metrics, settings, specification

FOLDER: Final = Path(__file__).parents[1] / "reference"


def pages() -> dict[str, str]:
    """File name -> content. The same code gives the same pages, whatever the environment says."""
    return {
        "cli.md": commands.page(),
        "events.md": events.page(),
        "metrics.md": metrics.page(),
        "settings.md": settings.page(),
        "spec.md": specification.page(),
    }


def write() -> None:
    """Bring the files up to date."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (FOLDER / name).write_text(content, encoding="utf-8")
