"""What the commands share: printing, the repository, the results folder, receipts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskflow.errors import RiskflowError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from riskflow.receipts import Receipt

DEFAULT_CONFIG = Path("config/config.yaml")
LABEL_WIDTH = 10
PLAIN_WIDTH = 110  # where there is no terminal to ask, as in a log or a pipe

ResultsFolder = Annotated[Path, typer.Option("--results", help="Folder of the results.")]
ConfigFiles = Annotated[
    list[Path] | None, typer.Argument(help="YAML files over config/config.yaml, the last one on top.")
]

_USER_INFO = re.compile(r"(?<=://)([^/@:\s]+):[^/@\s]+(?=@)")
_SECRET_KEY = re.compile(r"(password|passwd|secret|token|credential)s?$", re.IGNORECASE)


@cache
def console() -> Console:
    """Return the console for people: standard output, never coloured in a pipe."""
    from rich.console import Console

    probe = Console(highlight=False, soft_wrap=False)
    return probe if probe.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def show(*parts: RenderableType) -> None:
    """Print to standard output. Texts are shown as they are, without markup."""
    for part in parts:
        console().print(part, markup=False)


def table(*headings: str, right: Sequence[str] = (), title: str = "") -> Table:
    """Return an empty table; the columns named in `right` are flush right."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False
    )
    for heading in headings:
        made.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return made


def row(made: Table, *cells: object, style: str = "", styles: Mapping[int, str] | None = None) -> None:
    """Add a row, with a style for all of it or per cell number. Null is a dash; no markup is read in texts."""
    from rich.text import Text

    texts = ("–" if cell is None else line(str(cell)) for cell in cells)
    made.add_row(
        *(Text(text, (styles or {}).get(n, "")) for n, text in enumerate(texts)), style=style or None
    )


def line(text: str) -> str:
    """Return a text from data as one harmless line: no control characters that a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


def heading(text: str, sub: str = "") -> None:
    """Print a heading and, dimmed beside it, what it is about."""
    from rich.text import Text

    show("", Text.assemble((text, "bold"), ("  " + sub if sub else "", "dim")))


def say(label: str, text: str, width: int = LABEL_WIDTH) -> None:
    """Print one line of facts under a label; long texts wrap inside their column."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2 if width > 1 else 1))
    grid.add_column(width=width, style="dim")
    grid.add_column(overflow="fold")
    row(grid, label, text)
    show(grid)


def without_secrets(key: str, value: str) -> str:
    """Return a config value as it may be shown: no passwords, neither by the key's name nor inside an address."""
    if _SECRET_KEY.search(key) and value not in ('""', "null", ""):
        return "(set, not shown)"
    return _USER_INFO.sub(r"\1:***", value)


def layers(files: Sequence[Path] | None) -> list[Path]:
    """Return config/config.yaml, where there is one, and the files over it."""
    given = list(files or [])
    default = [DEFAULT_CONFIG] if DEFAULT_CONFIG.exists() and DEFAULT_CONFIG not in given else []
    return [*default, *given]


def repository() -> Path:
    """Return the folder with the Snakefile: this one or the nearest above it."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Snakefile").is_file():
            return folder
    raise RiskflowError(f"no Snakefile in {here} or above it", "run this inside the riskflow repository")


def receipts_of(track: Path) -> list[Receipt]:
    """Return the receipts of a track's results, sorted by file name."""
    from riskflow.receipts import load

    return [load(path) for path in sorted((track / "receipts").rglob("*.json"))]
