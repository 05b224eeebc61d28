"""Compiled commands and tests: closures, coloured by whether they may wait.

A test returns its truth. A command returns whether the script stops there. A closure is `Waiting` only if a test or
command in it does I/O; all the rest are plain calls, which is what makes a stage cost microseconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum

from mtad.sieve.actions import Action
from mtad.sieve.run import Run


@dataclass(frozen=True, slots=True)
class Plain:
    """Answers at once."""

    call: Callable[[Run], bool]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Answers when what it asked for is there."""

    call: Callable[[Run], Awaitable[bool]]


Code = Plain | Waiting


async def answer(code: Code, run: Run) -> bool:
    """Run either colour."""
    return code.call(run) if isinstance(code, Plain) else await code.call(run)


def constant(value: bool) -> Code:
    """Make what always answers the same."""
    return Plain(lambda run: value)


def perform(action: Action, *, is_terminal: bool) -> Code:
    """Make a command that notes an action."""
    return Plain(lambda run: run.act(action, is_terminal=is_terminal))


def negation(part: Code) -> Code:
    """Make the test `not`."""
    if isinstance(part, Plain):
        call = part.call
        return Plain(lambda run: not call(run))

    async def deny(run: Run) -> bool:
        return not await answer(part, run)

    return Waiting(deny)


def first_equal(parts: Sequence[Code], wanted: bool) -> Code:
    """Ask in order and stop at the first that answers `wanted`; answer whether one did.

    With True this is `anyof`, and a block of commands; `allof` is the negation of it with False.
    """
    calls = _plain_calls(parts)
    if calls is None:

        async def ask(run: Run) -> bool:
            for part in parts:
                if await answer(part, run) is wanted:
                    return True
            return False

        return Waiting(ask)
    if len(calls) == 1 and wanted:
        return Plain(calls[0])

    def ask_now(run: Run) -> bool:
        for call in calls:  # noqa: SIM110 - any() with a generator costs as much as a test
            if call(run) is wanted:
                return True
        return False

    return Plain(ask_now)


def sequence(commands: Sequence[Code], nodes: int) -> Code:
    """Make a block; entering it costs the commands and tests that stand directly in it."""
    body = first_equal(commands, True)
    if isinstance(body, Plain):
        call = body.call

        def enter(run: Run) -> bool:
            run.spend(nodes)
            return call(run)

        return Plain(enter)

    async def enter_waiting(run: Run) -> bool:
        run.spend(nodes)
        return await answer(body, run)

    return Waiting(enter_waiting)


def branch(arms: Sequence[tuple[Code, Code]]) -> Code:
    """Make if-elsif-else: the block of the first test that is true."""
    tests = _plain_calls([test for test, _ in arms])
    blocks = _plain_calls([block for _, block in arms])
    if tests is None or blocks is None:

        async def choose(run: Run) -> bool:
            for test, block in arms:
                if await answer(test, run):
                    return await answer(block, run)
            return False

        return Waiting(choose)
    if len(arms) == 1:
        (is_true,), (run_block,) = tests, blocks
        return Plain(lambda run: is_true(run) and run_block(run))
    pairs = tuple(zip(tests, blocks, strict=True))

    def choose_now(run: Run) -> bool:
        for test, block in pairs:
            if test(run):
                return block(run)
        return False

    return Plain(choose_now)


def repeat(block: Code, passes: Callable[[Run], Generator[None, None, None]], name: str = "") -> Code:
    """Make a loop: the block once for each step of the passes, until one of its commands leaves it or stops."""
    if isinstance(block, Plain):
        call = block.call

        def go_round(run: Run) -> bool:
            with closing(passes(run)) as steps:
                for _ in steps:
                    if call(run):
                        return not run.leaves(name)
            return False

        return Plain(go_round)

    async def go_round_waiting(run: Run) -> bool:
        with closing(passes(run)) as steps:
            for _ in steps:
                if await answer(block, run):
                    return not run.leaves(name)
        return False

    return Waiting(go_round_waiting)


def enclosed(block: Code, end: Callable[[Run, int, bool], bool]) -> Code:
    """Make a block at whose end something is done.

    end   is given how many actions there were before the block, and whether its commands were stopped; returns whether
          those behind the block are
    """
    if isinstance(block, Plain):
        call = block.call

        def go_through(run: Run) -> bool:
            start = len(run.actions)
            return end(run, start, call(run))

        return Plain(go_through)

    async def go_through_waiting(run: Run) -> bool:
        start = len(run.actions)
        return end(run, start, await answer(block, run))

    return Waiting(go_through_waiting)


class When(Enum):
    """When who listens to a script hears of a command or test."""

    BEFORE = "before"  # a command that holds others, which are heard behind it
    BEHIND = "behind"  # another one, whatever comes of it
    RESULT = "result"  # a test, when it has come to something


def told(code: Code, tell: Callable[[bool | None], None], when: When) -> Code:
    """Make what tells of a command, or what a test came to."""
    if isinstance(code, Plain):
        call = code.call

        def run_it(run: Run) -> bool:
            with _telling(tell, when):
                value = call(run)
            if when is When.RESULT:
                tell(value)
            return value

        return Plain(run_it)

    async def run_waiting(run: Run) -> bool:
        with _telling(tell, when):
            value = await answer(code, run)
        if when is When.RESULT:
            tell(value)
        return value

    return Waiting(run_waiting)


@contextmanager
def _telling(tell: Callable[[bool | None], None], when: When) -> Iterator[None]:
    """Tell of a command."""
    if when is When.BEFORE:
        tell(None)
    try:
        yield
    finally:
        if when is When.BEHIND:
            tell(None)


def _plain_calls(parts: Sequence[Code]) -> tuple[Callable[[Run], bool], ...] | None:
    calls = [part.call for part in parts if isinstance(part, Plain)]
    return tuple(calls) if len(calls) == len(parts) else None
