"""What a stage notes for the stages behind it: variables of `session`, `txn` and `rcpt`, and points."""

from __future__ import annotations

from collections.abc import Mapping

from mtad.mail.notes import NOTHING_NOTED, Noted, Notes
from mtad.sieve.capabilities.scopes import MESSAGE, RECIPIENT, SESSION
from mtad.sieve.run import LimitExceeded, Run

LENGTHS_MAX = {SESSION: 8192, MESSAGE: 8192, RECIPIENT: 1024}  # of names and values: of one session, message, recipient
SYMBOLS_MAX = 256
_OF_SESSION = ("connect", "ehlo", "auth")  # what they score is the session's; behind them it is the message's
_OF_RECIPIENT = "rcpt"
_OF_ONE = ("rcpt", "deliver", "queue")  # recipient

Variables = Mapping[str, str]


def recall(run: Run, noted: Noted, stage: str) -> None:
    """Put what is noted before a run where scripts find it."""
    if noted is NOTHING_NOTED:
        return
    for scope, notes in ((SESSION, noted.session), (MESSAGE, noted.message)):
        if notes.variables:
            run.variables.update(_keyed(scope, notes))
        if notes.points:
            run.points.update(notes.points)
    for recipient, notes in noted.recipients.items():
        run.noted[recipient] = _keyed(RECIPIENT, notes)
    if stage in _OF_ONE:
        for recipient in run.facts.envelope("to"):
            run.variables.update(run.noted.get(recipient, {}))


def _keyed(scope: str, notes: Notes) -> dict[str, str]:
    return {f"{scope}.{name}": value for name, value in notes.variables.items()}


def noted_by(run: Run, before: Noted, stage: str) -> Noted | None:
    """Return all that is noted behind a run; None when it has noted nothing. Errors: LimitExceeded."""
    if not (run.variables or run.points or run.noted):
        return None  # what was noted before would be among them
    variables = _by_scope(run.variables)
    recipients = {one: _by_scope(keyed)[RECIPIENT] for one, keyed in run.noted.items()}
    if stage == _OF_RECIPIENT and variables[RECIPIENT]:
        recipients |= dict.fromkeys(run.facts.envelope("to"), variables[RECIPIENT])
    _check(run, variables, recipients)
    known = {**before.session.points, **before.message.points}
    points = {symbol: value for symbol, value in run.points.items() if known.get(symbol) != value}
    of_session, of_message = (points, {}) if stage in _OF_SESSION else ({}, points)
    noted = Noted(
        Notes(variables[SESSION], {**before.session.points, **of_session}),
        Notes(variables[MESSAGE], {**before.message.points, **of_message}),
        {one: Notes(values) for one, values in recipients.items()},
    )
    return None if noted == before else noted


def _by_scope(keyed: Variables) -> dict[str, dict[str, str]]:
    variables: dict[str, dict[str, str]] = {SESSION: {}, MESSAGE: {}, RECIPIENT: {}}
    for key, value in keyed.items():
        scope, dot, name = key.partition(".")
        if dot and scope in variables:
            variables[scope][name] = value
    return variables


def _check(run: Run, variables: Mapping[str, Variables], recipients: Mapping[str, Variables]) -> None:
    if len(run.points) > SYMBOLS_MAX:
        raise LimitExceeded("symbols of the score")
    of_recipients = ((RECIPIENT, values) for values in recipients.values())
    for scope, values in (*variables.items(), *of_recipients):
        if sum(len(name) + len(value) for name, value in values.items()) > LENGTHS_MAX[scope]:
            raise LimitExceeded(f"variables of {scope}")
