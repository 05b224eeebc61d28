"""What a policy limits: what is counted under which key, what is said when nobody knows, errors at load."""

from __future__ import annotations

import pytest

from mtad.limits.ledger import Ledger, LocalLimits
from mtad.limits.questions import Limits, NobodyCounts
from mtad.sieve.actions import Log
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits as RunLimits
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.limits", "vnd.mtad.log", "envelope"];\n'


def counting() -> Limits:
    return LocalLimits(Ledger(1), lambda: 1_700_000_000_000)


async def true_of(test: str, limits: Limits, stage: str = "mail", client: str = "192.0.2.9", sender: str = "") -> bool:
    script = compile_script(
        f'{REQUIRE} stage "{stage}" {{ if {test} {{ log "yes"; }} }}', "t", POLICY, Outside(limits=limits)
    )
    assert isinstance(script, Script), str(script)
    run = Run(StillFacts(environment={"remote-ip": client}, envelope={"from": [sender]}), RunLimits())
    await answer(script.stages[stage], run)
    return any(isinstance(action, Log) and action.text == "yes" for action in run.actions)


async def test_a_rate_is_of_the_network_and_the_stage() -> None:
    limits = counting()
    assert not await true_of("ratelimit 1 60", limits)
    assert await true_of("ratelimit 1 60", limits)
    assert not await true_of("ratelimit 1 60", limits, client="192.0.2.10")
    assert not await true_of("ratelimit 1 60", limits, stage="connect")
    assert not await true_of("ratelimit 1 61", limits), "a rate over other seconds is another one"
    assert not await true_of("ratelimit 1 60", limits, client="2001:db8::1")
    assert await true_of("ratelimit 1 60", limits, client="2001:db8::2")


async def test_a_key_counts_in_all_stages_and_without_case() -> None:
    limits, test = counting(), 'ratelimit :key "of ${envelope.from}" 1 60'
    assert not await true_of(test, limits, sender="a@d.example")
    assert await true_of(test, limits, sender="A@D.example", client="192.0.2.10", stage="data")
    assert not await true_of(test, limits, sender="b@d.example")


async def test_a_key_is_not_taken_for_a_network() -> None:
    limits = counting()
    assert not await true_of("ratelimit 1 60", limits)
    assert not await true_of('ratelimit :key "mail 192.0.2.9" 1 60', limits)


async def test_a_look_and_a_cost() -> None:
    limits = counting()
    assert not await true_of('ratelimit :key "k" :peek 2 60', limits)
    assert not await true_of('ratelimit :key "k" :cost 2 2 60', limits)
    assert await true_of('ratelimit :key "k" :peek 2 60', limits)
    assert not await true_of('ratelimit :key "k" :peek 3 60', limits)


async def test_where_nobody_knows_the_policy_says_what_counts() -> None:
    assert not await true_of("ratelimit 1 60", NobodyCounts())
    assert await true_of('ratelimit :onerror "true" 1 60', NobodyCounts())
    with pytest.raises(ScriptFailed, match="ratelimit: nobody counts here"):
        await true_of('ratelimit :onerror "tempfail" 1 60', NobodyCounts())


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ("ratelimit 0 60", "a limit is 1 to 1000000000"),
        ("ratelimit 2G 60", "a limit is 1 to 1000000000"),
        ("ratelimit 5 0", "a rate is of 1 to 2592000 seconds"),
        ("ratelimit 5 2592001", "a rate is of 1 to 2592000 seconds"),
        ("ratelimit :cost 0 5 60", "a cost is 1 to 5, which is the limit"),
        ("ratelimit :cost 6 5 60", "a cost is 1 to 5, which is the limit"),
        ('ratelimit :onerror "x" 5 60', ":onerror is one of tempfail, true, false"),
    ],
)
def test_what_can_never_be_right_is_an_error(test: str, error: str) -> None:
    assert error in first_error(f'{REQUIRE} stage "mail" {{ if {test} {{ log "x"; }} }}', POLICY)


def test_what_is_asked_again_with_each_attempt_counts_nothing() -> None:
    error = first_error(f'{REQUIRE} stage "deliver" {{ if ratelimit 5 60 {{ log "x"; }} }}', POLICY)
    assert "ratelimit" in error
    assert "deliver" in error
