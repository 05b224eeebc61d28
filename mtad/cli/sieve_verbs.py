"""`mtactl sieve ...`: looks at policy scripts without a running node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtad.cli.node_client import EXIT_REFUSED
from mtad.cli.options import Json, expanded
from mtad.cli.screen import say, say_json
from mtad.telemetry.events import LineEvents

app = typer.Typer(help="Look at policy scripts without a running node.", no_args_is_help=True)


@app.callback()
def _sieve() -> None: ...


@app.command()
@expanded
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Scripts, or folders of *.sieve.")],
    json: Json = False,
) -> None:
    """Compile scripts as a node would, and say all their errors.

    Exit 1 when there is one. A running node takes a changed policy when it is started again.
    """
    from mtad.admission.policy import Policy, PolicyErrors, PolicySettings  # here, so that other verbs start faster

    loaded = [(file, Policy.load(file, PolicySettings(()), LineEvents())) for file in files]
    errors = [error for _, policy in loaded if isinstance(policy, PolicyErrors) for error in policy.errors]
    if json:
        told = [{"file": each.file, "line": each.line, "column": each.column, "text": each.text} for each in errors]
        say_json({"files": [str(file) for file in files], "ok": not errors, "errors": told})
    else:
        for error in errors:
            say(str(error))
        for file, policy in loaded:
            if isinstance(policy, Policy):
                say(f"{file} is good.")
    if errors:
        raise typer.Exit(EXIT_REFUSED)
