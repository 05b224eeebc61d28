"""Milters, policy services, scanners and programs as a test plays them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mtad.mail.reply import Reply
from mtad.mail.services import Action, Attributes, Passed, Refused, Scanned, Unanswered
from mtad.rehearsal.programs import PlayedPrograms

T = TypeVar("T")

_PASSES = "pass"
_LEAST_REFUSAL, _MOST_REFUSAL = 400, 599


@dataclass(slots=True)
class PlayedServices:
    """Those that a test has named answer as it says; the others are not there."""

    milters: dict[str, Passed | Refused] = field(default_factory=dict)
    policies: dict[str, Action] = field(default_factory=dict)
    scanners: dict[str, Scanned] = field(default_factory=dict)
    programs: PlayedPrograms = field(default_factory=PlayedPrograms)

    async def milter(self, name: str, attributes: Attributes, content: bytes) -> Passed | Refused | Unanswered:
        """Answer for a milter."""
        return _named(self.milters, name)

    async def policy(self, name: str, attributes: Attributes) -> Action | Unanswered:
        """Answer for a policy service."""
        return _named(self.policies, name)

    async def scan(self, name: str, content: bytes) -> Scanned | Unanswered:
        """Answer for a scanner."""
        return _named(self.scanners, name)

    def put(self, kind: str, name: str, answer: str) -> None:
        """Have a service answer this from now on, as KINDS writes it. Errors: ValueError."""
        KINDS[kind](self, name, answer)


def _named(answers: Mapping[str, T], name: str) -> T | Unanswered:
    found = answers.get(name)
    return Unanswered(f"{name} is not available") if found is None else found


def _put_milter(services: PlayedServices, name: str, answer: str) -> None:
    code, _, text = answer.partition(" ")
    if answer == _PASSES:
        services.milters[name] = Passed()
    elif code.isdecimal() and _LEAST_REFUSAL <= int(code) <= _MOST_REFUSAL:
        services.milters[name] = Refused(Reply.parse(int(code), (text,)))
    else:
        raise ValueError(f'{answer!r} is neither "{_PASSES}" nor a refusal')


def _put_policy(services: PlayedServices, name: str, answer: str) -> None:
    word, _, text = answer.partition(" ")
    services.policies[name] = Action(word, text)


def _put_scanner(services: PlayedServices, name: str, answer: str) -> None:
    words = answer.split()
    said = dict(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not said.keys() <= {"spam", "virus"} or not all(map(str.isdecimal, said.values())):
        raise ValueError(f'{answer!r} is not as "spam 80 virus 1"')
    spam, virus = (int(said[what]) if what in said else None for what in ("spam", "virus"))
    services.scanners[name] = Scanned(spam, virus)


KINDS: Mapping[str, Callable[[PlayedServices, str, str], None]] = {
    "milter": _put_milter,  # "pass", or what the client is to hear
    "policy": _put_policy,  # an action, and what it says besides
    "scanner": _put_scanner,  # "spam PERCENT virus LEVEL", or one of them
    "program": lambda services, name, answer: services.programs.put(name, answer),  # "0 OUTPUT", or another status
}
