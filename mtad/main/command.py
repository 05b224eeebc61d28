"""The command `mtad`: runs a node, runs the laboratory, makes a new node's files.

Exit codes: 0; 1 a start-up check failed (all failures are listed, each with what mends it); 2 usage or configuration.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mtad.command_line import run_command
from mtad.config.read import ConfigurationErrors, read
from mtad.config.settings import Settings
from mtad.main.version import VERSION
from mtad.startup.checks import Grade, failed, run_checks
from mtad.startup.new_node import (
    EVERYWHERE,
    GROUP,
    Asked,
    NotUnderstood,
    dns_records,
    files_to_mention,
    plan,
    write_new_node,
)
from mtad.telemetry.events import LineEvents

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
        typer.echo(f"mtad {VERSION}")
        raise typer.Exit


@app.callback()
def _mtad(
    is_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None: ...


@app.command()
def run(
    config: Annotated[
        Path, typer.Option(metavar="FILE", envvar="MTAD_CONFIG", help="The configuration file.")
    ] = DEFAULT_CONFIG,
) -> None:
    """Run a node in the foreground.

    It does not start when a start-up check fails, and ends on SIGTERM or SIGINT.
    """
    from mtad.main import supervisor  # here, so that the other commands start without gRPC and LMDB

    settings = _settings(config)
    findings = run_checks(settings, LineEvents(style=settings.log.format), datetime.now(UTC))
    for finding in findings:
        if finding.grade is not Grade.OK:
            typer.echo(str(finding), err=True)
    if failed(findings):
        typer.echo("mtad does not start: mend what failed above.", err=True)
        raise typer.Exit(EXIT_CHECK_FAILED)
    raise typer.Exit(supervisor.run(config.absolute(), settings))


@app.command()
def witness(
    folder: Annotated[
        Path,
        typer.Option("--dir", metavar="DIR", help="Its folder: ca.pem, NAME.pem, NAME.key; it keeps its state there."),
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="The name in its certificate.")],
    listen: Annotated[str, typer.Option(metavar="ADDR", help="Where the nodes reach it, such as [::]:7252.")],
    member: Annotated[
        list[str], typer.Option(metavar="NAME", help="A node that it serves: its node.name. Given twice, once a node.")
    ],
    group: Annotated[str, typer.Option(metavar="NAME", help="replication.group of the nodes.")] = GROUP,
    lease_seconds: Annotated[
        float, typer.Option(metavar="N", min=1, max=60, help="replication.lease_seconds of the nodes.")
    ] = 3.0,
) -> None:
    """Run the witness of a pair in the foreground, on a third machine."""
    from mtad.main import witness as witness_process  # here, so that the other commands start without gRPC

    wrong = witness_process.misunderstood(name, listen, member)
    for each in wrong:
        typer.echo(f"mtad: {each}", err=True)
    if wrong:
        raise typer.Exit(EXIT_CONFIGURATION)
    settings = witness_process.witness_settings(folder.absolute(), name, listen, group, tuple(member), lease_seconds)
    problems = witness_process.problems(settings, name)
    for problem in problems:
        typer.echo(f"mtad: {problem}", err=True)
    raise typer.Exit(EXIT_CHECK_FAILED if problems else witness_process.run(settings))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    hostname: Annotated[str, typer.Option(metavar="NAME", help="Such as mx1.example.org; asked when not given.")] = "",
    domain: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A domain to be MX for; several times for several.", show_default=False),
    ] = None,
    peer: Annotated[str, typer.Option(metavar="NAME=HOST:PORT", help="The other node of the pair, if any.")] = "",
    address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the peer reaches this node; default: its host name.")
    ] = "",
    witness: Annotated[str, typer.Option(metavar="NAME=HOST:PORT", help="A witness on a third machine, if any.")] = "",
    site: Annotated[str, typer.Option(metavar="NAME=HOST:PORT", help="A node far away that follows the pair.")] = "",
    listen: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDR", help="Where SMTP clients connect; default: port 25 of every address."),
    ] = None,
) -> None:
    """Write the files of a new node or pair.

    They are mtad.toml, policy, DKIM key and certificates. The DNS records to publish are printed.
    """
    hostname = hostname or _ask("--hostname", "Host name of this node")
    domains = domain or [_ask("--domain", "Domain that this node is MX for")]
    asked = Asked(hostname, domains, peer, listen or EVERYWHERE, address, witness, site)
    new = plan(folder.absolute(), asked, datetime.now(UTC).date())
    if isinstance(new, NotUnderstood):
        for error in new.errors:
            typer.echo(f"mtad: {error}", err=True)
        raise typer.Exit(EXIT_CONFIGURATION)
    try:
        write_new_node(new)
    except OSError as error:
        typer.echo(f"mtad: {error if isinstance(error, FileExistsError) else f'{folder}: {error.strerror}'}", err=True)
        raise typer.Exit(EXIT_CONFIGURATION) from None
    for line in [*files_to_mention(new), "", "Publish:", *dns_records(new), ""]:
        typer.echo(line)
    typer.echo(f"Then: mtad run --config {folder}/mtad.toml")


def _ask(option: str, question: str) -> str:
    """Ask the operator for what an option would have said."""
    try:
        answer: str = typer.prompt(question)
    except typer.Abort:
        typer.echo(f"\nmtad: give {option}; nothing was written", err=True)
        raise typer.Exit(EXIT_CONFIGURATION) from None
    return answer


@app.command()
def lab(
    is_demo: Annotated[
        bool, typer.Option("--demo", help="Kill the active node under load, count what arrives, and end.")
    ] = False,
) -> None:
    """Run a pair on loopback to try things.

    It has a DNS server and next hops of its own, and leaves nothing behind.
    """
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
    run_command(app, "mtad")
