"""Writes for people: tables that are drawn on a terminal and plain in a pipe, and JSON for scripts.

What strangers chose (addresses, replies) loses its control characters here, so that it cannot drive a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = "  "


def safe(text: str) -> str:
    """Replace what is not printable."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def say(text: str) -> None:
    """Write one line."""
    typer.echo(safe(text))


def say_json(value: object) -> None:
    """Write one object on one line, in ASCII."""
    typer.echo(json.dumps(value))


def say_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table; without titles, rows of names and values."""
    clean = [[safe(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(titles, clean)
        return
    lines = [list(titles), *clean] if any(titles) else clean
    widths = [max(len(row[index]) for row in lines) for index in range(len(titles))]
    for row in lines:
        typer.echo(GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=box.SIMPLE_HEAD if any(titles) else None, show_header=any(titles), pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
