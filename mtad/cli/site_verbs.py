"""`mtactl site`: the nodes far away that follow a pair, and the order that makes one of them deliver."""

from __future__ import annotations

from typing import Annotated

import typer

from mtad.cli.connection import connect
from mtad.cli.duration import show_count, show_duration, show_octets
from mtad.cli.node_client import EXIT_REFUSED
from mtad.cli.options import Asked, expanded
from mtad.cli.role_change import change_role
from mtad.cli.screen import say, say_json, say_table
from mtad.cli.shapes import far_object
from mtad.pb import admin_pb2 as pb

app = typer.Typer(help="Nodes far away that follow the pair.", no_args_is_help=True)


@app.command("list")
@expanded
def list_sites(asked: Asked) -> None:
    """List the sites of this node, and how far each is behind.

    At a site, the members that it follows. Exit 1 when one of them is not connected.
    """
    with connect(asked) as node:
        found = node.status()
    others = [*found.sites, *found.members]
    if asked.json:
        for each in others:
            say_json(far_object(each))
    elif others:
        rows = [
            (each.node, each.role or "not heard", each.state, _fed(each), _lag(each), each.problem) for each in others
        ]
        say_table(("NODE", "ROLE", "LINK", "SHIPS", "BEHIND", "PROBLEM"), rows)
    else:
        say(f"{found.node} has no sites: [[replication.sites]] in mtad.toml names them.")
    if any(each.state != "up" for each in others):
        raise typer.Exit(EXIT_REFUSED)


@app.command()
@expanded
def promote(
    asked: Asked,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The site; it must be the node that is asked.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Even if a member may still be active, or has what is not here.")
    ] = False,
) -> None:
    """Make a site deliver, when the pair that it follows is lost.

    Asked of the site itself. At home, `mtactl replica promote` takes back.
    """
    with connect(asked) as node:
        found = node.status()
    refused = ""
    if name not in ("", found.node):
        refused = f"this is {found.node}: run it there, or give its --node"
    elif not found.members:
        refused = f"{found.node} follows nobody: for a node of a pair there is `mtactl replica promote`"
    if not refused:
        change_role(asked, "promote", force=force)
        return
    if asked.json:
        say_json({"verb": "promote", "done": False, "text": refused, "seconds": 0, "epoch": found.epoch, "risk": ""})
    else:
        say(f"Refused: {refused}.")
    raise typer.Exit(EXIT_REFUSED)


def described(far: pb.Far) -> str:
    """Describe a node across a WAN in a line."""
    ships = ", shipped to from here" if far.is_fed else ""
    return f"{far.node}: {far.role or 'not heard'}, {far.state}, {_lag(far)}{ships}"


def _fed(far: pb.Far) -> str:
    return "from here" if far.is_fed else "-"


def _lag(far: pb.Far) -> str:
    if not far.lag_records:
        return "level"
    return f"{show_count(far.lag_records, 'record')} ({show_octets(far.lag_octets)}, {show_duration(far.lag_seconds)})"
