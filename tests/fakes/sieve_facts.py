"""Facts for scripts, given by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from mtad.mail.deliver_by import DeliverBy
from mtad.sieve.actions import Action, FileInto
from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN
from mtad.sieve.doors import Doors
from mtad.sieve.errors import SieveErrors
from mtad.sieve.language import OUTSIDE, Language
from mtad.sieve.message import Message
from mtad.sieve.run import Limits, Run
from mtad.sieve.script import Script, compile_script

NOW = datetime(2026, 3, 1, 23, 30, 5, tzinfo=timezone(timedelta(hours=1)))
DOORS = Doors(clock=lambda: NOW)


class StillFacts:
    """Answers what it was given, and counts how often the message was asked for."""

    def __init__(
        self,
        content: bytes = b"\r\n",
        envelope: Mapping[str, Sequence[str]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._message = Message(content)
        self._envelope = envelope or {}
        self._environment = environment or {}

    def environment(self, item: str) -> str:
        """Return an item of the environment."""
        return self._environment.get(item, "")

    def envelope(self, part: str) -> Sequence[str]:
        """Return the addresses of a part of the envelope."""
        return self._envelope[part]

    def deliver_by(self) -> DeliverBy | None:
        """Return by when the message is to be delivered."""
        return None

    def message(self) -> Message:
        """Return the message."""
        return self._message


def run_plain(
    text: str, facts: StillFacts, *, language: Language = PLAIN, stage: str = OUTSIDE, limits: Limits | None = None
) -> list[Action]:
    """Compile a script that waits for nothing, run one stage of it, return its actions."""
    script = compile_script(text, "test.sieve", language)
    assert isinstance(script, Script), str(script)
    code = script.stages[stage]
    assert isinstance(code, Plain)
    run = Run(facts, limits or Limits(), DOORS)
    code.call(run)
    return run.actions


def is_true(test: str, facts: StillFacts, require: str = "") -> bool:
    """Tell whether a test is true of these facts."""
    needed = f"require [{require}];" if require else ""
    return bool(run_plain(f"{needed} if {test} {{ keep; }}", facts))


def filed(text: str, facts: StillFacts, limits: Limits | None = None) -> list[str]:
    """Return the mailboxes that a script files into; that is how a test says what it found."""
    actions = run_plain(text, facts, limits=limits)
    return [action.mailbox for action in actions if isinstance(action, FileInto)]


def first_error(text: str, language: Language = PLAIN) -> str:
    """Return the first thing that is wrong with a script, with its line and column."""
    found = compile_script(text, "t", language)
    assert isinstance(found, SieveErrors)
    error = found.errors[0]
    return f"{error.line}:{error.column}: {error.text}"
