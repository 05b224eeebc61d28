"""What cannot be had of what is asked outside: what a test answers then, or whether a stage goes on (`:onerror`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtad.sieve.actions import Log
from mtad.sieve.language import ArgumentType, Bound, Tag
from mtad.sieve.run import Run, ScriptFailed

ON_ERROR_TAG = Tag(":onerror", value=ArgumentType.STRING)
UNAVAILABLE = "unavailable"  # the key of a test that asks whether it cannot be had
TEMPFAIL = "tempfail"  # the stage fails for now: unknown is not no
_ANSWERS: Mapping[str, bool | None] = {TEMPFAIL: None, "true": True, "false": False}
_WAYS_ON: Mapping[str, bool | None] = {TEMPFAIL: None, "continue": False}


def on_error(bound: Bound, asked: str, default: str) -> Callable[[Run, str], bool]:
    """Make what answers, with a line for the log, or ends the stage, when it is told why `asked` has failed.

    It raises ScriptFailed.
    """
    return _failing(bound, asked, default, _ANSWERS)


def or_continue(bound: Bound, asked: str) -> Callable[[Run, str], bool]:
    """Make the same for a command, behind which the stage goes on where the script says so."""
    return _failing(bound, asked, TEMPFAIL, _WAYS_ON)


def asks_for_unavailable(bound: Bound, keys: int) -> bool:
    """Tell whether a key is there that is true of what cannot be had; `keys` is the place of them all."""
    if bound.chosen.get("match", ":is") != ":is":
        return False
    return any(item.value.lower() == UNAVAILABLE for item in bound.strings(keys).items)


def _failing(bound: Bound, asked: str, default: str, answers: Mapping[str, bool | None]) -> Callable[[Run, str], bool]:
    given = bound.tag_strings(ON_ERROR_TAG.name)
    word = given.items[0].value if given is not None else default
    if word not in answers:
        bound.fail(given.at if given is not None else bound.at, f"{ON_ERROR_TAG.name} is one of {', '.join(answers)}")
        word = default
    answer = answers[word]

    def failed(run: Run, why: str) -> bool:
        if answer is None:
            raise ScriptFailed(f"{asked}: {why}")
        run.act(Log(f"{asked}: {why}", "warning"))
        return answer

    return failed
