"""Has a node fill its queue again from its peer's, and says what came of it."""

from __future__ import annotations

import typer

from mtad.cli.connection import connect
from mtad.cli.duration import show_count, show_duration
from mtad.cli.node_client import EXIT_REFUSED
from mtad.cli.options import Asked
from mtad.cli.screen import say, say_json, say_table
from mtad.cli.shapes import resync_object
from mtad.pb import admin_pb2 as pb


def resync(asked: Asked, *, full: bool, force: bool) -> None:
    """Give the order; exit 1 when it is refused, or when something differs still."""
    with connect(asked) as node:
        reply = node.resync(full=full, force=force)
    if asked.json:
        say_json(resync_object(reply))
    elif reply.refused:
        say(f"Refused: {reply.refused}")
        if reply.risk:
            say(f"What --force would risk: {reply.risk}.")
    elif full:
        _say_begun(reply)
    else:
        _say_fetched(reply)
    if reply.refused or (reply.differences and not full):
        raise typer.Exit(EXIT_REFUSED)


def _say_begun(reply: pb.ResyncReply) -> None:
    say(f"The queue that was here is in {reply.set_aside}.")
    say("The peer fills a new one: `mtactl replica verify` says when both nodes hold the same.")
    if reply.risk:
        say(f"What it may cost: {reply.risk}.")


def _say_fetched(reply: pb.ResyncReply) -> None:
    came = f"{reply.fetched} came from the peer in {show_duration(reply.seconds)}"
    if not reply.differences:
        same = f"Both nodes hold the same {show_count(reply.messages, 'message')}"
        say(f"{same}; {came}." if reply.fetched else f"{same}: nothing was fetched.")
        return
    say_table(("ID", "STILL DIFFERS"), [(each.queue_id, each.what) for each in reply.differences])
    if reply.is_cut_short:
        say(f"... only the first {len(reply.differences)} are shown.")
    say(f"{came[0].upper()}{came[1:]}. What differs still is only here, or further here, or damaged: nothing was")
    say("taken from this node. The same order at the peer, when that is the passive one, brings it there.")
