"""One script and one message in both engines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.differential import engine
from tests.differential.messages import Mail, draw_mail
from tests.differential.pigeonhole import Outcome, Pigeonhole
from tests.differential.scripts import Drawing

T = TypeVar("T", str, bytes)


@dataclass(frozen=True, slots=True)
class Case:
    """A script, a message, and what kinds of tests and commands the script has."""

    script: str
    mail: Mail
    kinds: frozenset[str] = frozenset()

    @classmethod
    def draw(cls, seed: int) -> Case:
        """Return the case of a seed."""
        dice = random.Random(seed)
        drawing = Drawing(dice)
        return cls(drawing.script(), draw_mail(dice), frozenset(drawing.kinds))


@dataclass(frozen=True, slots=True)
class Difference:
    """A case that the engines do not agree on."""

    case: Case
    theirs: Outcome
    ours: Outcome

    def __str__(self) -> str:
        mail = self.case.mail
        lines = [self.case.script, f"from {mail.sender} to {mail.recipient}", mail.content.decode("utf-8", "replace")]
        lines += [f"only theirs: {line}" for line in self.theirs if line not in self.ours]
        lines += [f"only ours:   {line}" for line in self.ours if line not in self.theirs]
        if set(self.theirs) == set(self.ours):
            lines += [f"theirs: {self.theirs}", f"ours: {self.ours}"]
        return "\n".join([*lines, engine.why_refused(self.case.script)])


def compare(case: Case, pigeonhole: Pigeonhole) -> Difference | None:
    """Play a case in both; None when they agree."""
    theirs, ours = pigeonhole.play(case.script, case.mail), engine.play(case.script, case.mail)
    is_same = len(theirs) == len(ours) and all(map(_is_same, theirs, ours))
    return None if is_same else Difference(case, theirs, ours)


def _is_same(theirs: str, ours: str) -> bool:
    """Compare two lines; sieve-test cuts long names."""
    return theirs == ours or (theirs.endswith("...") and ours.startswith(theirs[:-3]))


def smaller(case: Case, pigeonhole: Pigeonhole) -> Difference | None:
    """Leave out lines of the script and of the message for as long as the engines still differ."""
    found = compare(case, pigeonhole)
    is_smaller = found is not None
    while is_smaller and found is not None:
        is_smaller = False
        for candidate in _smaller_ones(found.case):
            difference = compare(candidate, pigeonhole)
            if difference is not None and _is_run(difference) is _is_run(found):
                found, is_smaller = difference, True
                break
    return found


def _is_run(difference: Difference) -> bool:
    """Tell whether both engines came to the end of the script."""
    return {"refused", "failed"}.isdisjoint((*difference.theirs, *difference.ours))


def _smaller_ones(case: Case) -> Iterator[Case]:
    for script in _shorter(case.script.splitlines(keepends=True)[1:]):
        yield replace(case, script=case.script.splitlines(keepends=True)[0] + "".join(script))
    for content in _shorter(case.mail.content.splitlines(keepends=True)):
        yield replace(case, mail=replace(case.mail, content=b"".join(content)))


def _shorter(lines: list[T]) -> Iterator[list[T]]:
    """Yield the lines without some that follow each other: half of them, a quarter of them ... one."""
    length = len(lines) // 2
    while length:
        for at in range(0, len(lines), length):
            yield lines[:at] + lines[at + length :]
        length //= 2
