"""`mtactl user ...`: who may submit mail. The users file is changed here; a running node takes it by itself.

A password comes from a prompt, or as one line of the standard input: never from the command line, which others can see.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtad.cli.node_client import EXIT_REFUSED, EXIT_USAGE, NodeError
from mtad.cli.options import DEFAULT_CONFIG, Local, expanded
from mtad.cli.screen import say, say_json
from mtad.config.read import ConfigurationErrors
from mtad.config.read import read as read_settings

if TYPE_CHECKING:
    from mtad.users.edit import Unchanged

Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as alice@example.org; case does not matter.")]

app = typer.Typer(help="Change who may submit mail, without a running node.", no_args_is_help=True)


# What a verb does is imported there, so that other verbs start faster: argon2 takes 18 ms.


@app.command()
@expanded
def add(name: Name, local: Local) -> None:
    """Add a user, with a password that is asked for or read from the standard input."""
    from mtad.users.edit import add_user

    path, user = _users_path(local), _named(name)
    _tell("add", user, lambda: add_user(path, user, _password()), local)


@app.command()
@expanded
def passwd(name: Name, local: Local) -> None:
    """Give a user another password, asked for or read from the standard input."""
    from mtad.users.edit import change_password

    path, user = _users_path(local), _named(name)
    _tell("passwd", user, lambda: change_password(path, user, _password()), local)


@app.command()
@expanded
def delete(name: Name, local: Local) -> None:
    """Delete a user. Sessions that are open go on."""
    from mtad.users.edit import delete_user

    path, user = _users_path(local), _named(name)
    _tell("delete", user, lambda: delete_user(path, user), local)


@app.command("list")
@expanded
def list_(local: Local) -> None:
    """List the users."""
    from mtad.users.file import BadUsers, read

    path = _users_path(local)
    found = read(path) if path.exists() else None
    if isinstance(found, BadUsers):
        raise NodeError(str(found), EXIT_REFUSED)
    for name in found.users if found is not None else ():
        if local.json:
            say_json({"name": name})
        else:
            say(name)


def _users_path(local: Local) -> Path:
    """Return where the users file is. Errors: NodeError."""
    path = local.config or DEFAULT_CONFIG
    settings = read_settings(path)
    if isinstance(settings, ConfigurationErrors):
        raise NodeError(f"the configuration is not good\n{settings}", EXIT_USAGE)
    if settings.smtp.users is None:
        raise NodeError(f'{path} names no users file: give smtp.users, such as users = "users"', EXIT_USAGE)
    return settings.smtp.users


def _named(name: str) -> str:
    from mtad.users.file import fold

    user = fold(name)
    if user is None:
        raise NodeError(f"{name!r} cannot be a user's name: no blanks, no @ or # at its beginning", EXIT_USAGE)
    return user


def _password() -> str:
    """Ask for a password twice, or read one line."""
    from mtad.users.file import PASSWORD_OCTETS_MAX
    from mtad.users.saslprep import saslprep

    if sys.stdin.isatty():
        text: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = sys.stdin.readline(PASSWORD_OCTETS_MAX + 2).removesuffix("\n").removesuffix("\r")
    password = saslprep(text)
    if password is None or len(text.encode("utf-8", "replace")) > PASSWORD_OCTETS_MAX:
        what = f"1 to {PASSWORD_OCTETS_MAX} octets, without control characters"
        raise NodeError(f"that cannot be a password; allowed: {what}", EXIT_USAGE)
    return password


def _tell(verb: str, user: str, change: Callable[[], Unchanged | None], local: Local) -> None:
    """Change the file and say what came of it."""
    try:
        unchanged = change()
        why = "" if unchanged is None else unchanged.why
    except OSError as error:
        why = str(error)
    if local.json:
        say_json({"verb": verb, "done": not why, "name": user, "refused": why})
    else:
        say(f"Refused: {why}" if why else f"{_DONE[verb]} {user}.")
    if why:
        raise typer.Exit(EXIT_REFUSED)


_DONE = {"add": "Added", "passwd": "Changed the password of", "delete": "Deleted"}
