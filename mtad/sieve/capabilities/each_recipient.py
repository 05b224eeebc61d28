"""Commands that hold a block of verdicts: `foreachrcpt` and `monitor` (vnd.mtad.stage)."""

from __future__ import annotations

from collections.abc import Generator

from mtad.sieve.actions import TOLD, Monitored
from mtad.sieve.capabilities.scopes import RECIPIENT
from mtad.sieve.capabilities.stage import CAPABILITY
from mtad.sieve.code import Code, enclosed, repeat
from mtad.sieve.language import SESSION_STAGES, ArgumentType, Bound, Kind, Spec
from mtad.sieve.run import Run

LOOP = "foreachrcpt"
_TRIAL = "monitor"


def _foreachrcpt(bound: Bound) -> Code:
    if bound.stands_in(LOOP):
        return bound.fail(bound.at, f"{LOOP} cannot stand in another one")
    if bound.stands_in(_TRIAL):
        return bound.fail(bound.at, f"{LOOP} cannot stand in {_TRIAL}: put {_TRIAL} into it")
    return repeat(enclosed(bound.compile_block(), _end_recipient), _recipients)


def _recipients(run: Run) -> Generator[None, None, None]:
    """Go to the recipients on whom no loop has a verdict yet, one after the other, each with its own variables."""
    try:
        for recipient in run.facts.envelope("to"):
            if recipient in run.ruled:
                continue
            run.recipient = recipient
            run.variables.update(run.noted.get(recipient, {}))
            yield
            _put_away(run, recipient)
    finally:
        if run.recipient is not None:
            _put_away(run, run.recipient)
            run.recipient = None


def _put_away(run: Run, recipient: str) -> None:
    keys = [key for key in run.variables if key.startswith(f"{RECIPIENT}.")]
    if keys:
        run.noted[recipient] = {key: run.variables.pop(key) for key in keys}


def _end_recipient(run: Run, start: int, is_stopped: bool) -> bool:
    """Take what was decided for the recipient alone; a verdict on it stops nothing else."""
    taken = run.actions[start:]
    del run.actions[start:]
    is_ruled = is_stopped and run.has_ruled()
    if run.recipient is not None:
        if taken:
            run.each[run.recipient] = [*run.each.get(run.recipient, ()), *taken]
        if is_ruled:
            run.ruled.add(run.recipient)
    return is_stopped and not is_ruled


def _monitor(bound: Bound) -> Code:
    label = bound.string(0)

    def end(run: Run, start: int, is_stopped: bool) -> bool:
        taken = run.actions[start:]
        run.actions[start:] = [one if isinstance(one, TOLD) else Monitored(label, one) for one in taken]
        return is_stopped and not run.has_ruled()

    return enclosed(bound.compile_block(), end)


EACH_RECIPIENT = (
    Spec(LOOP, Kind.COMMAND, _foreachrcpt, capabilities=(CAPABILITY,), has_block=True, stages=("data",)),
    Spec(
        _TRIAL,
        Kind.COMMAND,
        _monitor,
        capabilities=(CAPABILITY,),
        positional=(ArgumentType.STRING,),
        has_block=True,
        stages=SESSION_STAGES,
    ),
)
