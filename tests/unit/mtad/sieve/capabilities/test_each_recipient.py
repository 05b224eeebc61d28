from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from mtad.mail.reply import Reply
from mtad.sieve.actions import Accept, Action, Delay, Discard, Log, Monitored, Refuse, Unless
from mtad.sieve.code import Code, Plain, Waiting, answer, constant, enclosed
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.outside import Outside
from mtad.sieve.run import LimitExceeded, Limits, Run
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts

REQUIRE = (
    'require ["envelope", "variables", "ereject", "foreverypart", "vnd.mtad.stage", "vnd.mtad.verdict", '
    '"vnd.mtad.log", "relational"];\n'
)
HELD = Refuse(Reply.of(451, "4.7.1", "no"), unless=Unless.IF_ACCEPT)
NO = Refuse(Reply.of(550, "5.7.1", "no"))
RECIPIENTS = ("a@x.test", "b@x.test", "c@x.test")


def run_of(block: str, *, stage: str = "data", limits: Limits | None = None) -> Run:
    script = compile_script(f'{REQUIRE}stage "{stage}" {{ {block} }}', "t", POLICY)
    assert isinstance(script, Script), str(script)
    code = script.stages[stage]
    assert isinstance(code, Plain)
    run = Run(StillFacts(envelope={"from": ("s@x.test",), "to": RECIPIENTS}), limits or Limits())
    code.call(run)
    return run


def decided(block: str) -> tuple[Mapping[str, Sequence[Action]], list[Action]]:
    run = run_of(block)
    return run.each, run.actions


B = 'envelope :localpart "to" "b"'


@pytest.mark.parametrize(
    ("block", "each", "actions"),
    [
        (f'foreachrcpt {{ if {B} {{ ereject "no"; }} }} log "x";', {RECIPIENTS[1]: [NO]}, [Log("x")]),
        (f"foreachrcpt {{ if {B} {{ discard :rcpt; }} }}", {RECIPIENTS[1]: [Discard()]}, []),
        (f'foreachrcpt {{ if {B} {{ break; }} discard; }} log "x";', {RECIPIENTS[0]: [Discard()]}, [Log("x")]),
        (
            f'foreachrcpt {{ if {B} {{ accept; stop; }} discard; }} log "x";',
            {RECIPIENTS[0]: [Discard()], RECIPIENTS[1]: [Accept()], RECIPIENTS[2]: [Discard()]},
            [Log("x")],
        ),
        (f'foreachrcpt {{ if {B} {{ log "l"; stop; }} }} log "x";', {RECIPIENTS[1]: [Log("l")]}, []),
        (
            f'foreachrcpt {{ if {B} {{ tempfail :ifaccept "no"; stop; }} discard; }} log "x";',
            {RECIPIENTS[0]: [Discard()], RECIPIENTS[1]: [HELD]},
            [],
        ),
        ("foreachrcpt { foreverypart { break; } discard; }", {one: [Discard()] for one in RECIPIENTS}, []),
        (
            'foreachrcpt { delay 3; monitor "m" { discard; } }',
            {one: [Delay(3), Monitored("m", Discard())] for one in RECIPIENTS},
            [],
        ),
        (
            f'foreachrcpt {{ if {B} {{ ereject "no"; }} }} foreachrcpt {{ log "x"; }}',
            {RECIPIENTS[0]: [Log("x")], RECIPIENTS[1]: [NO], RECIPIENTS[2]: [Log("x")]},
            [],
        ),
        (
            f'foreachrcpt {{ log "x"; if {B} {{ accept; }} }} foreachrcpt {{ discard; }}',
            {
                RECIPIENTS[0]: [Log("x"), Discard()],
                RECIPIENTS[1]: [Log("x"), Accept()],
                RECIPIENTS[2]: [Log("x"), Discard()],
            },
            [],
        ),
        ('foreachrcpt { } if envelope :count "eq" "to" "3" { log "x"; }', {}, [Log("x")]),
    ],
)
def test_a_verdict_is_for_the_one_that_the_loop_is_at(
    block: str, each: dict[str, list[Action]], actions: list[Action]
) -> None:
    found, rest = decided(block)
    assert (found, rest) == (each, actions)


def test_what_is_monitored_is_not_done_and_stops_nothing() -> None:
    run = run_of('monitor "m" { log "l"; delay 2; ereject "no"; log "never"; } discard;', stage="rcpt")
    assert run.actions == [Log("l"), Monitored("m", Delay(2)), Monitored("m", NO), Discard()]
    assert run_of('monitor "m" { stop; } discard;').actions == []
    inner = run_of('monitor "a" { monitor "b" { discard; } } monitor "c" { if true { accept; } }').actions
    assert inner == [Monitored("b", Discard()), Monitored("c", Accept())]


def test_the_budget_of_actions_is_each_recipients_own() -> None:
    many = "".join('log "x";' for _ in range(4))
    assert len(run_of(f"foreachrcpt {{ {many} }}", limits=Limits(actions_max=4)).each) == 3
    with pytest.raises(LimitExceeded):
        run_of(f'foreachrcpt {{ {many} log "x"; }}', limits=Limits(actions_max=4))


async def test_what_waits_in_a_block_is_waited_for() -> None:
    async def wait(run: Run) -> bool:
        run.act(Log("waited"))
        return True

    ends: list[tuple[int, bool]] = []

    def end(run: Run, start: int, is_stopped: bool) -> bool:
        ends.append((start, is_stopped))
        return not is_stopped

    run = Run(StillFacts(), Limits())
    for block, stopped in ((Waiting(wait), True), (constant(False), False)):
        code: Code = enclosed(block, end)
        assert isinstance(code, type(block))
        assert await answer(code, run) is not stopped
    assert ends == [(0, True), (1, False)]


@pytest.mark.parametrize(
    ("stage", "block", "error"),
    [
        ("data", "foreachrcpt { foreachrcpt { } }", "foreachrcpt cannot stand in another one"),
        ("data", 'monitor "m" { foreachrcpt { } }', "foreachrcpt cannot stand in monitor: put monitor into it"),
        ("rcpt", "foreachrcpt { }", 'foreachrcpt is not legal in stage "rcpt"'),
        ("data", "break;", "break must stand in a loop"),
        ("data", "discard :rcpt;", 'discard :rcpt must stand in stage "rcpt" or in foreachrcpt'),
        ("data", 'set "rcpt.a" "";', '"rcpt.a": it can be set in foreachrcpt'),
        ("data", 'log "${rcpt.a}";', '"rcpt.a": it is known in foreachrcpt'),
        ("mail", 'log "${rcpt.a}";', '"rcpt.a": it is not known in stage "mail"'),
        ("deliver", 'monitor "a" { }', 'monitor is not legal in stage "deliver"'),
        ("rcpt", "delay 61;", "a delay is 1 to 60 seconds"),
        ("rcpt", "delay 0;", "a delay is 1 to 60 seconds"),
    ],
)
def test_mistakes(stage: str, block: str, error: str) -> None:
    found = compile_script(f'{REQUIRE}stage "{stage}" {{ {block} }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [one.text for one in found.errors] == [error]


@pytest.mark.parametrize(
    ("around", "part", "error"),
    [
        ("foreachrcpt", 'require "vnd.mtad.queue"; hold;', "hold cannot stand in foreachrcpt"),
        ("foreachrcpt", "foreachrcpt { }", "foreachrcpt cannot stand in another one"),
        ('monitor "m"', "foreachrcpt { }", "foreachrcpt cannot stand in monitor: put monitor into it"),
        (
            'monitor "m"',
            'require "editheader"; if true { addheader "X" "y"; }',
            "addheader cannot stand in monitor",
        ),
    ],
)
def test_an_included_script_stands_in_the_blocks_around_it(around: str, part: str, error: str) -> None:
    scripts = {"a": 'require ["vnd.mtad.stage", "include"]; include "b";', "b": f'require "vnd.mtad.stage"; {part}'}
    outside = Outside(scripts=lambda _location, name: scripts.get(name))
    script = 'require ["include", "vnd.mtad.stage"]; stage "data" { %s { if true { include "a"; } } }'
    found = compile_script(script % around, "t", POLICY, outside)
    assert isinstance(found, SieveErrors)
    assert error in [one.text for one in found.errors]
    alone = compile_script(script % "if true", "t", POLICY, outside)
    assert isinstance(alone, Script), str(alone)
