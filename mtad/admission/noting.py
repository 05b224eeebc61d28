"""What a stage notes for the stages behind it: variables of `session` and `txn`, and points."""

from __future__ import annotations

from collections.abc import Mapping

from mtad.mail.notes import Noted, Notes
from mtad.sieve.capabilities.scopes import MESSAGE, SESSION
from mtad.sieve.run import LimitExceeded, Run

NOTES_LENGTH_MAX = 8192  # of the names and values that are noted of one session, or of one message
SYMBOLS_MAX = 256
_OF_SESSION = ("connect", "ehlo", "auth")  # what they score is the session's; behind them it is the message's


def recall(run: Run, noted: Noted) -> None:
    """Put what is noted before a run where scripts find it."""
    for scope, notes in ((SESSION, noted.session), (MESSAGE, noted.message)):
        for name, value in notes.variables.items():
            run.variables[f"{scope}.{name}"] = value
        run.points.update(notes.points)


def noted_by(run: Run, before: Noted, stage: str) -> Noted | None:
    """Return all that is noted behind a run; None when it has noted nothing. Errors: LimitExceeded."""
    variables: dict[str, dict[str, str]] = {SESSION: {}, MESSAGE: {}}
    for key, value in run.variables.items():
        scope, dot, name = key.partition(".")
        if dot and scope in variables:
            variables[scope][name] = value
    _check(run, variables)
    known = {**before.session.points, **before.message.points}
    points = {symbol: value for symbol, value in run.points.items() if known.get(symbol) != value}
    session, message = (points, {}) if stage in _OF_SESSION else ({}, points)
    noted = Noted(
        _with(before.session, variables[SESSION], session), _with(before.message, variables[MESSAGE], message)
    )
    return None if noted == before else noted


def _check(run: Run, variables: Mapping[str, Mapping[str, str]]) -> None:
    if len(run.points) > SYMBOLS_MAX:
        raise LimitExceeded("symbols of the score")
    for scope, values in variables.items():
        if sum(len(name) + len(value) for name, value in values.items()) > NOTES_LENGTH_MAX:
            raise LimitExceeded(f"variables of {scope}")


def _with(before: Notes, variables: Mapping[str, str], points: Mapping[str, int]) -> Notes:
    return Notes(variables, {**before.points, **points})
