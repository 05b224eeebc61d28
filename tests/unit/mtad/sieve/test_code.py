"""Every construct in both colours: plain, and waiting where one of its parts waits."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from mtad.sieve.actions import Keep, Log
from mtad.sieve.capabilities.log import LOG
from mtad.sieve.capabilities.rfc5228 import RFC5228
from mtad.sieve.code import Code, Plain, Waiting, answer
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Language, Spec
from mtad.sieve.run import LimitExceeded, Limits, Run
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts


def _slow(bound: Bound) -> Code:
    """Make a test that waits, as a lookup in DNS would, and then is true if its argument is "yes"."""
    word = bound.string(0)

    async def ask(run: Run) -> bool:
        await asyncio.sleep(0)
        return word == "yes"

    return Waiting(ask)


LANGUAGE = Language((*RFC5228, *LOG, Spec("slow", Kind.TEST, _slow, positional=(ArgumentType.STRING,))))


def compiled(text: str) -> Code:
    script = compile_script(f'require "vnd.mtad.log"; {text}', "t", LANGUAGE)
    assert isinstance(script, Script), str(script)
    return script.stages[OUTSIDE]


async def said(text: str, limits: Limits | None = None) -> list[str]:
    run = Run(StillFacts(), limits or Limits())
    await answer(compiled(text), run)
    return [action.text if isinstance(action, Log) else str(action) for action in run.actions]


CASES = [
    ('if YES { log "a"; } log "b";', ["a", "b"]),
    ('if NO { log "a"; } log "b";', ["b"]),
    ('if not NO { log "a"; }', ["a"]),
    ('if not not YES { log "a"; }', ["a"]),
    ('if anyof (NO, YES) { log "a"; }', ["a"]),
    ('if anyof (NO, NO) { log "a"; }', []),
    ('if anyof (NO) { log "a"; }', []),
    ('if allof (YES, YES) { log "a"; }', ["a"]),
    ('if allof (YES, NO) { log "a"; }', []),
    ('if allof (YES) { log "a"; }', ["a"]),
    ('if allof (NO) { log "a"; }', []),
    ('if not allof (NO, YES) { log "a"; }', ["a"]),
    ('if NO { log "a"; } elsif YES { log "b"; } else { log "c"; }', ["b"]),
    ('if NO { log "a"; } elsif NO { log "b"; } else { log "c"; }', ["c"]),
    ('if YES { log "a"; } elsif YES { log "b"; } else { log "c"; }', ["a"]),
    ('if YES { log "a"; stop; } log "b";', ["a"]),
    ('if NO { } else { if YES { stop; } } log "b";', []),
    ('if YES { if YES { } } if YES { } if NO { } else { log "a"; }', ["a"]),
    ('log "a"; stop; log "b";', ["a"]),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
@pytest.mark.parametrize(
    "words", [("true", "false"), ('slow "yes"', "false"), ("true", 'slow "no"'), ('slow "yes"', 'slow "no"')]
)
async def test_both_colours_mean_the_same(text: str, expected: list[str], words: tuple[str, str]) -> None:
    assert await said(text.replace("YES", words[0]).replace("NO", words[1])) == expected


def test_only_what_may_wait_is_coloured() -> None:
    assert isinstance(compiled("if anyof (true, not false) { stop; }"), Plain)
    for waiting in (
        'if slow "yes" { }',
        'if not slow "yes" { }',
        'if allof (true, slow "yes") { }',
        'if true { if anyof (slow "yes", true) { } }',
        'if true { } else { if slow "no" { } }',
    ):
        code = compiled(waiting)
        assert isinstance(code, Waiting)
        coroutine = code.call(Run(StillFacts(), Limits()))
        assert inspect.iscoroutine(coroutine)
        coroutine.close()


async def test_the_second_test_is_not_asked_when_the_first_decides() -> None:
    for text in ('if anyof (true, slow "yes") { log "a"; }', 'if not allof (false, slow "yes") { log "a"; }'):
        run = Run(StillFacts(), Limits())
        pending = compiled(text)
        assert isinstance(pending, Waiting)
        coroutine = pending.call(run)
        assert inspect.iscoroutine(coroutine)
        with pytest.raises(StopIteration):  # ends at its first step: it never waited
            coroutine.send(None)
        assert len(run.actions) == 1


async def test_each_command_and_test_is_counted() -> None:
    text = "if anyof (true, false) { keep; } keep;"  # if, anyof, true, false, keep outside; keep inside
    assert await said(text, Limits(nodes_max=6)) == [str(Keep.KEEP)] * 2
    with pytest.raises(LimitExceeded, match="nodes"):
        await said(text, Limits(nodes_max=5))


async def test_actions_are_limited() -> None:
    assert len(await said("keep; " * 3, Limits(actions_max=3))) == 3
    with pytest.raises(LimitExceeded, match="actions"):
        await said("keep; " * 4, Limits(actions_max=3))


def test_a_language_has_no_two_specs_of_one_name() -> None:
    with pytest.raises(ValueError, match="two specs"):
        Language(RFC5228 + RFC5228)
