"""`mtactl sieve ...`: looks at policy scripts without a running node."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtad.cli.node_client import EXIT_REFUSED
from mtad.cli.options import Json, expanded
from mtad.cli.screen import say, say_json
from mtad.telemetry.events import LineEvents

if TYPE_CHECKING:
    from mtad.rehearsal.report import FileReport

MapsConfig = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", envvar="MTAD_CONFIG", help="The mtad.toml whose maps and programs the scripts name."
    ),
]

NodeConfig = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", envvar="MTAD_CONFIG", help="The mtad.toml that has policy, domains and maps."
    ),
]

_LISTENERS = ("smtp", "submission", "lmtp")

app = typer.Typer(help="Look at policy scripts without a running node.", no_args_is_help=True)


@app.callback()
def _sieve() -> None: ...


@app.command()
@expanded
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Scripts, or folders of *.sieve.")],
    json: Json = False,
    config: MapsConfig = None,
) -> None:
    """Compile scripts as a node would, and say all their errors; maps and programs that they name are mtad.toml's.

    Exit 1 when there is one. What a policy asks, and this version cannot answer, is a warning.
    A running node takes a changed policy by `mtactl reload`.
    """
    from mtad.admission.policy import Policy, PolicyErrors, PolicySettings  # here, so that other verbs start faster
    from mtad.cli.configured import logins_of, maps_of, programs_in, settings_of
    from mtad.sieve.errors import SieveError
    from mtad.sieve.outside import Outside

    settings = settings_of(config)
    shelf = maps_of(settings)
    outside = Outside(shelf.maps, programs=programs_in(settings), logins=logins_of(settings))
    known = PolicySettings((), outside=outside)
    loaded = [(file, Policy.load(file, known, LineEvents())) for file in files]
    shelf.release()
    errors = [SieveError(one.where, one.line, 1, f"map {one.name}: {one.why}") for one in shelf.unusable]
    errors += [error for _, policy in loaded if isinstance(policy, PolicyErrors) for error in policy.errors]
    good = [(file, policy) for file, policy in loaded if isinstance(policy, Policy)]
    lacks = [(str(file), what) for file, policy in good for what in sorted(policy.lacks)]
    if json:
        told = [{"file": each.file, "line": each.line, "column": each.column, "text": each.text} for each in errors]
        warnings = [{"file": file, "lacks": what} for file, what in lacks]
        say_json({"files": [str(file) for file in files], "ok": not errors, "errors": told, "warnings": warnings})
    else:
        for error in errors:
            say(str(error))
        for name, what in lacks:
            say(f"{name}: warning: it asks `{what}`, which this version cannot answer")
        for file, _ in good:
            say(f"{file} is good.")
    if errors:
        raise typer.Exit(EXIT_REFUSED)


@app.command("test")
@expanded
def run_tests(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Tests (*.svtest), dialogs (*.txt), or folders of them.")
    ],
    must_fail: Annotated[
        bool, typer.Option("--must-fail", "-F", help="Each test of these files must fail; one that passes is wrong.")
    ] = False,
    json: Json = False,
) -> None:
    """Test policies and scripts: play tests and SMTP dialogs, and say which failed, and where.

    Nothing is sent and no node is asked. Exit 1 when a test failed.
    """
    from mtad.rehearsal.play import SUFFIXES, files_of, play_file
    from mtad.rehearsal.report import lines

    files = list(files_of(paths))
    if not files:
        raise typer.BadParameter(f"no {' or '.join(SUFFIXES)} is there", param_hint="PATH")

    async def played() -> list[FileReport]:
        return [await play_file(file, must_fail=must_fail) for file in files]

    reports = asyncio.run(played())
    is_good = all(report.is_good for report in reports)
    if json:
        say_json({"ok": is_good, "files": [_file_object(report) for report in reports]})
    else:
        for line in lines(reports):
            say(line)
    if not is_good:
        raise typer.Exit(EXIT_REFUSED)


@dataclass(frozen=True, slots=True)
class Situation:
    """Options that say who brings a message, and to whom."""

    client: Annotated[str, typer.Option("--client", metavar="IP", help="Where the client is.")] = "192.0.2.1"
    helo: Annotated[str, typer.Option("--helo", metavar="NAME", help="How it calls itself.")] = "client.example"
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="Who has authenticated.")] = ""
    listener: Annotated[
        str, typer.Option("--listener", metavar="KIND", help="Where it comes in: smtp, submission or lmtp.")
    ] = "smtp"
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", metavar="D", help="One that the server is MX for; may be given again."),
    ] = None
    dns: Annotated[bool, typer.Option("--dns", help="Ask DNS, as a node does; without it nothing is known there.")] = (
        False
    )
    programs: Annotated[
        bool, typer.Option("--programs", help="Run programs, as a node does; without it none can be run.")
    ] = False
    config: NodeConfig = None

    def environment(self) -> dict[str, str]:
        """Return what scripts ask of the client. Errors: typer.BadParameter, for what no client has."""
        from mtad.mail.ip_address import parse_ip

        if parse_ip(self.client) is None:
            raise typer.BadParameter(f"{self.client!r} is no address", param_hint="--client")
        if self.listener not in _LISTENERS:
            raise typer.BadParameter(f"one of {', '.join(_LISTENERS)}", param_hint="--listener")
        return {
            "remote-ip": self.client,
            "vnd.mtad.helo": self.helo,
            "vnd.mtad.auth-user": self.user,
            "vnd.mtad.listener": self.listener,
        }


@app.command()
@expanded
def trace(
    message: Annotated[Path, typer.Option("--message", metavar="FILE", help="The message, as a file.")],
    sender: Annotated[str, typer.Option("--from", metavar="A", help="The reverse-path; empty is the null one.")],
    recipient: Annotated[list[str], typer.Option("--to", metavar="B", help="A recipient; may be given again.")],
    situation: Situation,
    policy: Annotated[
        Path | None,
        typer.Argument(metavar="POLICY", help="A script, or a folder of *.sieve; that of mtad.toml if none."),
    ] = None,
    json: Json = False,
) -> None:
    """Follow a message through a policy: what each stage did, line by line, and what it answered.

    Policy, domains and maps are those of mtad.toml, where it is there and nothing else is said. Nothing is sent and no
    node is asked. Exit 1 when the policy has mistakes, or failed.
    """
    from mtad.admission.policy import DEFAULT_POLICY, PolicyErrors, PolicySettings
    from mtad.cli.configured import logins_of, maps_of, names_of, programs_in, settings_of
    from mtad.rehearsal.programs import Unrun
    from mtad.rehearsal.trace import Traveller, lines
    from mtad.rehearsal.trace import trace as follow
    from mtad.sieve.outside import Outside

    environment = situation.environment()
    try:
        content = message.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot be read: {error.strerror}", param_hint="--message") from None
    known = settings_of(situation.config)
    path = policy or (known.policy.file if known is not None else None) or DEFAULT_POLICY
    domains = situation.domain or (known.node.domains if known is not None else ())
    programs = programs_in(known)
    programs = programs if situation.programs else Unrun(programs)
    outside = Outside(maps_of(known).maps, programs=programs, logins=logins_of(known))
    if situation.dns:
        names = names_of(known)
        outside = replace(outside, names=names, lists=names)
    traveller = Traveller(content, _path(sender, "--from"), tuple(_path(one, "--to") for one in recipient), environment)
    asked = asyncio.run(follow(path, PolicySettings(domains, outside=outside), traveller))
    if isinstance(asked, PolicyErrors):
        typer.echo(str(asked), err=True)
        raise typer.Exit(EXIT_REFUSED)
    if json:
        say_json({"stages": [asdict(one) for one in asked]})
    else:
        for line in lines(asked):
            say(line)
    if any(one.faults for one in asked):
        raise typer.Exit(EXIT_REFUSED)


def _path(text: str, option: str) -> str:
    """Return an address, written with brackets or without; '' is the null reverse-path. Errors: typer.BadParameter."""
    from mtad.mail.address import BadPath, parse_path

    path = parse_path(text[1:-1] if text.startswith("<") and text.endswith(">") else text)
    if isinstance(path, BadPath) or (path is None and option != "--from"):
        raise typer.BadParameter(f"{text!r} is no address", param_hint=option)
    return str(path) if path is not None else ""


def _file_object(report: FileReport) -> dict[str, object]:
    tests = [
        {
            "name": case.name,
            "line": case.line,
            "ok": not report.is_wrong(case),
            "failed_line": case.failure.line if case.failure is not None else None,
            "reason": case.failure.reason if case.failure is not None else "",
        }
        for case in report.tests
    ]
    return {"file": report.file, "ok": report.is_good, "errors": list(report.errors), "tests": tests}
