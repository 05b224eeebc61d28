"""The command `mtad`: runs a node, runs the laboratory, makes a new node's files.

Exit codes: 0; 1 a start-up check failed (all failures are listed, each with what mends it); 2 usage or configuration.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from mtad.config.read import ConfigurationErrors, read
from mtad.config.settings import Settings

EXIT_CHECK_FAILED = 1
EXIT_CONFIGURATION = 2
DEFAULT_CONFIG = Path("/etc/mtad/mtad.toml")

app = typer.Typer(
    name="mtad",
    help="A mail transfer agent that delivers while the client waits and keeps its queue on two machines.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"mtad {version('mtad')}")
        raise typer.Exit


@app.callback()
def _mtad(
    is_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None: ...


@app.command()
def run(
    config: Annotated[Path, typer.Option(envvar="MTAD_CONFIG", help="The configuration file.")] = DEFAULT_CONFIG,
) -> None:
    """Run a node in the foreground until SIGTERM or SIGINT."""
    from mtad.main import supervisor  # here, so that the other commands start without gRPC and LMDB

    settings = _settings(config)
    raise typer.Exit(supervisor.run(config.absolute(), settings))


@app.command()
def lab(
    is_demo: Annotated[
        bool, typer.Option("--demo", help="Kill the active node under load, count what arrives, and end.")
    ] = False,
) -> None:
    """Run a pair of nodes on loopback, with DNS and next hops of their own."""
    from mtad.lab import laboratory

    raise typer.Exit(laboratory.main(is_demo))


def _settings(config: Path) -> Settings:
    """Return the settings, or say what is wrong with them and exit."""
    settings = read(config)
    if isinstance(settings, ConfigurationErrors):
        typer.echo(str(settings), err=True)
        raise typer.Exit(EXIT_CONFIGURATION)
    return settings


def main() -> None:
    """Run the command line."""
    app()
