"""The options that many verbs of mtactl share, each group as one value.

A command takes a group as one parameter, typed with its dataclass; `expanded` turns the group's fields into options.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from mtad.cli.duration import read_duration
from mtad.cli.node_client import NodeError

DEFAULT_CONFIG = Path("/etc/mtad/mtad.toml")

Json = Annotated[bool, typer.Option("--json", help="One JSON object, or one a line for lists.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", envvar="MTAD_CONFIG", help="The node's mtad.toml; it says where its socket is."
    ),
]


@dataclass(frozen=True, slots=True)
class Local:
    """Options of a verb that reads files only."""

    json: Json = False
    config: Config = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Options of a verb that asks a node."""

    json: Json = False
    node: Annotated[
        str, typer.Option("--node", metavar="ADDR", help="The node's admin socket: a path, or HOST:PORT on loopback.")
    ] = ""
    config: Config = None
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Longest wait for the node's answer.")
    ] = None


@dataclass(frozen=True, slots=True)
class Selected:
    """Options that choose messages; given together, a message must fit all."""

    domain: Annotated[str, typer.Option(metavar="D", help="With a recipient in this domain.")] = ""
    sender: Annotated[str, typer.Option(metavar="S", help="From this reverse-path; <> is the null one.")] = ""
    recipient: Annotated[str, typer.Option(metavar="R", help="To this recipient.")] = ""
    state: Annotated[str, typer.Option(metavar="STATE", help="deferred, held, active or unknown.")] = ""
    queue: Annotated[str, typer.Option(metavar="NAME", help="That policy has wait in this queue.")] = ""
    older_than: Annotated[
        float,
        typer.Option(
            parser=read_duration,
            metavar="T",
            help="Arrived longer ago than this: 90s, 15m, 2h, 3d.",
            show_default=False,
        ),
    ] = 0.0

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was chosen."""
        return self == Selected()


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its groups' options, and end it with a node's failure said on the error stream."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind) and isinstance(kind, type)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name not in groups:
            parameters.append(parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY))
    for kind in groups.values():
        field_hints = get_type_hints(kind, include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field_hints[field.name]
            )
            for field in dataclasses.fields(kind)
        ]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
        try:
            command(**values)
        except NodeError as failure:
            typer.echo(f"mtactl: {failure}", err=True)
            raise typer.Exit(failure.exit_code) from None

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run
