"""The maps that scripts name, as mtad.toml has them, for verbs that look at scripts without a node."""

from __future__ import annotations

from pathlib import Path

import typer

from mtad.cli.node_client import EXIT_USAGE
from mtad.cli.options import DEFAULT_CONFIG
from mtad.config.read import ConfigurationErrors, read
from mtad.maps.shelf import Shelf, build_shelf


def maps_of(config: Path | None) -> Shelf:
    """Build the maps of this mtad.toml, or of the one in its usual place if it is there; ends a bad one with usage."""
    if config is None and not DEFAULT_CONFIG.exists():
        return Shelf()
    settings = read(config or DEFAULT_CONFIG)
    if isinstance(settings, ConfigurationErrors):
        typer.echo(str(settings), err=True)
        raise typer.Exit(EXIT_USAGE)
    return build_shelf(settings.policy.maps)
