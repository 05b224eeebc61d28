"""How the test commands ask and act: what their closures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtad.sieve.code import Code, Plain
from mtad.sieve.language import ArgumentType, Bound, Tag
from mtad.sieve.match import compare
from mtad.sieve.run import LimitExceeded, Run, ScriptFailed

INDEX = Tag(":index", value=ArgumentType.NUMBER)


def step(do: Callable[[Run], object]) -> Code:
    """Make a command that never stops the script."""

    def act(run: Run) -> bool:
        do(run)
        return False

    return Plain(act)


def one_or_all(bound: Bound, values_of: Callable[[Run], Sequence[str]]) -> Code:
    """Ask the match of all values, or of the one that :index names, counted from 1."""
    index = bound.tag_number(":index")
    if index is None:
        return compare(bound, bound.templates(0), [values_of])
    if index.value == 0:
        return bound.fail(index.at, ":index counts from 1")
    at = index.value - 1
    return compare(bound, bound.templates(0), [lambda run: values_of(run)[at : at + 1]])


def why_failed(failed: ScriptFailed) -> str:
    """Say why a script could not go on."""
    return f"limit exceeded: {failed}" if isinstance(failed, LimitExceeded) else str(failed)
