"""Asks a node to change its role, and says what came of it and what it may cost."""

from __future__ import annotations

import typer

from mtad.cli.connection import connect
from mtad.cli.duration import show_duration
from mtad.cli.node_client import EXIT_REFUSED
from mtad.cli.options import Asked
from mtad.cli.screen import say, say_json


def change_role(asked: Asked, verb: str, *, force: bool = False) -> None:
    """Have the node promote, switch over or demote; exit 1 when it does not."""
    with connect(asked) as node:
        reply = node.replica(verb, force=force)
    if asked.json:
        say_json(
            {
                "verb": verb,
                "done": reply.done,
                "text": reply.text,
                "seconds": reply.seconds,
                "epoch": reply.epoch,
                "risk": reply.risk,
            }
        )
    elif reply.done:
        text = f" ({reply.text})" if reply.text else ""
        say(f"{verb.capitalize()} done in {show_duration(reply.seconds)}, epoch {reply.epoch}{text}.")
    else:
        say(f"Refused: {reply.text}")
    if reply.risk and not asked.json:
        say(f"{'What it may cost' if reply.done else 'What --force would risk'}: {reply.risk}.")
    if not reply.done:
        raise typer.Exit(EXIT_REFUSED)
