"""The command `mtactl`: asks a running node and tells it what to do.

Exit codes: 0 done; 1 refused or not healthy; 2 usage; 3 the node does not answer. Names, verbs, exit codes and JSON
shapes are promises to scripts.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from mtad.admin.health import policy_error, problems
from mtad.cli import queue_verbs, sieve_verbs, site_verbs, user_verbs
from mtad.cli.connection import connect
from mtad.cli.duration import show_count, show_duration, show_octets
from mtad.cli.node_client import EXIT_REFUSED
from mtad.cli.options import DEFAULT_CONFIG, Asked, Local, expanded
from mtad.cli.resync import resync as fill_again
from mtad.cli.role_change import change_role
from mtad.cli.screen import say, say_json, say_table
from mtad.cli.shapes import policy_object, status_object, verify_object
from mtad.command_line import run_command
from mtad.config.read import ConfigurationErrors, read
from mtad.config.show import as_document, as_toml
from mtad.pb import admin_pb2 as pb

app = typer.Typer(
    name="mtactl",
    help="Ask a running mtad node, and tell it what to do.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
replica = typer.Typer(help="Who delivers, and whether both nodes hold the same.", no_args_is_help=True)
config = typer.Typer(help="Read mtad.toml without a running node.", no_args_is_help=True)
app.add_typer(queue_verbs.app, name="queue")
app.add_typer(replica, name="replica")
app.add_typer(site_verbs.app, name="site")
app.add_typer(config, name="config")
app.add_typer(sieve_verbs.app, name="sieve")
app.add_typer(user_verbs.app, name="user")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"mtactl {version('mtad')}")
        raise typer.Exit


@app.callback()
def _mtactl(
    is_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None: ...


@app.command()
@expanded
def status(asked: Asked) -> None:
    """Say how the node, its peer and its queue are.

    Exit 1 when the node is not healthy: each reason is a line.
    """
    with connect(asked) as node:
        found = node.status()
    if asked.json:
        say_json(status_object(found))
    else:
        _say_status(found)
    if problems(found):
        raise typer.Exit(EXIT_REFUSED)


def _say_status(found: pb.StatusReply) -> None:
    queue, peer = found.queue, found.peer
    rows = [
        ("node", f"{found.node}, mtad {found.version}, up {show_duration(found.uptime_seconds)}"),
        ("role", f"{found.role}, epoch {found.epoch}, position {found.position}"),
    ]
    if found.HasField("peer"):
        records, octets = show_count(peer.lag_records, "record"), show_octets(peer.lag_octets)
        lag = f"{records} ({octets}, {show_duration(peer.lag_seconds)}) behind"
        role = f"was {peer.role}" if peer.role and peer.problem else peer.role or "not heard"
        rows.append(("peer", f"{peer.node}: {role}, {peer.state}, {lag if peer.lag_records else 'level'}"))
        rows.append(("copies", _copies(peer)))
    elif found.members:
        rows.append(("copies", "1 before 250: this node follows a pair"))
    else:
        rows.append(("copies", "1: this node has no peer"))
    if found.HasField("witness"):
        lease = f", lease {found.lease_seconds:.1f} s" if found.lease_seconds else ""
        rows.append(("witness", f"{found.witness.name}: {_said(found.witness)}{lease}"))
    rows += [("site", site_verbs.described(site)) for site in found.sites]
    rows += [("member", site_verbs.described(member)) for member in found.members]
    oldest = f", oldest {show_duration(queue.oldest_seconds)}" if queue.messages else ""
    messages, recipients = show_count(queue.messages, "message"), show_count(queue.recipients, "recipient")
    through = show_count(found.delivered_through, "message")
    rows += [
        ("queue", f"{messages}, {recipients}, {show_octets(queue.octets)}{oldest}"),
        ("sessions", f"{found.sessions} open; {through} delivered while the client waited"),
    ]
    if found.retries_answered or found.retries_in_doubt:
        rows.append(("retries", f"{found.retries_answered} answered from memory, {found.retries_in_doubt} in doubt"))
    say_table(("", ""), rows)
    for problem in problems(found):
        say(f"Not healthy: {problem}.")


def _said(witness: pb.Witness) -> str:
    """Say what the witness last answered; a passive node that hears the active one asks it nothing."""
    is_asked = witness.state != "silent" or witness.problem
    return witness.state if is_asked else "not asked"


def _copies(peer: pb.Peer) -> str:
    """Say what new mail gets before its 250."""
    if peer.state != "protected":
        return "1: the peer does not confirm"
    return _COPIES.get(peer.durability, _COPIES["remote-durable"])


_COPIES = {
    "remote-durable": "2 before 250",
    "remote-received": "1 before 250, and the peer has received it",
    "local": "1 before 250, as replication.level says",
}


@app.command()
@expanded
def reload(asked: Asked) -> None:
    """Have the node load its policy anew.

    Sessions keep the one that they began with. Exit 1 when it is broken: the old one stays, and each error is a line.
    """
    with connect(asked) as node:
        policy = node.reload()
    if asked.json:
        say_json(policy_object(policy))
    else:
        for error in policy.errors:
            say(policy_error(error))
        say("Refused: the policy is broken, the old one stays." if policy.errors else "The policy is loaded.")
    if policy.errors:
        raise typer.Exit(EXIT_REFUSED)


@replica.command()
@expanded
def promote(
    asked: Asked,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the peer may still be active: mail may come twice.")
    ] = False,
) -> None:
    """Make this node the active one, without the peer's help."""
    change_role(asked, "promote", force=force)


@replica.command()
@expanded
def switchover(asked: Asked) -> None:
    """Hand over to the peer without a duplicate.

    Asked of the active node, which first lets running attempts end.
    """
    change_role(asked, "switchover")


@replica.command()
@expanded
def demote(
    asked: Asked,
    force: Annotated[bool, typer.Option("--force", help="Even if no peer is there that would take over.")] = False,
) -> None:
    """Make this node the passive one.

    It stays so until another was active, or it is promoted. `switchover` is the way without a duplicate.
    """
    change_role(asked, "demote", force=force)


@replica.command()
@expanded
def verify(asked: Asked) -> None:
    """Compare this node's queue with its peer's.

    By digests, while mail flows. Exit 1 when they differ, or cannot be compared.
    """
    with connect(asked) as node:
        reply = node.verify()
    is_equal = not reply.refused and not reply.differences
    if asked.json:
        say_json(verify_object(reply))
    elif reply.refused:
        say(f"Refused: {reply.refused}")
    elif is_equal:
        say(f"Both nodes hold the same {show_count(reply.messages, 'message')} ({show_octets(reply.octets)} compared).")
    else:
        say_table(("ID", "DIFFERENCE"), [(each.queue_id, each.what) for each in reply.differences])
        if reply.is_cut_short:
            say(f"... only the first {len(reply.differences)} are shown.")
    if not is_equal:
        raise typer.Exit(EXIT_REFUSED)


@replica.command()
@expanded
def resync(
    asked: Asked,
    full: Annotated[
        bool, typer.Option("--full", help="Set the queue of this node aside, and have the peer fill an empty one.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even if mail may come twice, or wait in what is set aside.")
    ] = False,
) -> None:
    """Fill this node's queue again from its peer's.

    What differs is fetched, and nothing that is here goes. Exit 1 when it is refused, or something differs still.
    """
    fill_again(asked, full=full, force=force)


@config.command()
@expanded
def check(local: Local) -> None:
    """Say everything that is wrong with mtad.toml, with its lines."""
    path = local.config or DEFAULT_CONFIG
    settings = read(path)
    errors = settings.errors if isinstance(settings, ConfigurationErrors) else ()
    if local.json:
        told = [{"line": each.line, "key": each.key, "came": each.came, "allowed": each.allowed} for each in errors]
        say_json({"file": str(path), "ok": not errors, "errors": told})
    else:
        for each in errors:
            say(str(each))
        if not errors:
            say(f"{path} is good.")
    if errors:
        raise typer.Exit(EXIT_REFUSED)


@config.command()
@expanded
def show(local: Local) -> None:
    """Write every setting with the value it has, defaults too."""
    path = local.config or DEFAULT_CONFIG
    settings = read(path)
    if isinstance(settings, ConfigurationErrors):
        typer.echo(str(settings), err=True)
        raise typer.Exit(EXIT_REFUSED)
    if local.json:
        say_json(as_document(settings))
    else:
        typer.echo(as_toml(settings), nl=False)


def main() -> None:
    """Run the command line."""
    run_command(app, "mtactl")
