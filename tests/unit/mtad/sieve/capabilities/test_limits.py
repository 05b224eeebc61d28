"""What a policy limits: what is counted under which key, what is said when nobody knows, errors at load."""

from __future__ import annotations

import pytest

from mtad.limits.ledger import Ledger, LocalLimits
from mtad.limits.places import Holder
from mtad.limits.questions import Limits, NobodyCounts
from mtad.sieve.actions import Log
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits as RunLimits
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

NOW_MS = 1_700_000_000_000
REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.limits", "vnd.mtad.log", "envelope"];\n'


def counting() -> Limits:
    return LocalLimits(Ledger(1), lambda: NOW_MS)


async def true_of(
    test: str,
    limits: Limits,
    stage: str = "mail",
    client: str = "192.0.2.9",
    sender: str = "",
    recipient: str = "b@l.example",
    holder: Holder | None = None,
) -> bool:
    script = compile_script(
        f'{REQUIRE} stage "{stage}" {{ if {test} {{ log "yes"; }} }}', "t", POLICY, Outside(limits=limits)
    )
    assert isinstance(script, Script), str(script)
    run = Run(
        StillFacts(environment={"remote-ip": client}, envelope={"from": [sender], "to": [recipient]}), RunLimits()
    )
    run.holder = holder
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


# --- greylist -----------------------------------------------------------------------------------------------


async def deferred(test: str, limits: Limits, recipient: str = "b@l.example", **facts: str) -> bool:
    return await true_of(test, limits, stage="rcpt", recipient=recipient, **facts)


async def test_network_sender_and_recipient_are_known_together() -> None:
    now = [NOW_MS]
    limits = LocalLimits(Ledger(1), lambda: now[0])
    assert await deferred("greylist", limits, sender="a@d.example")
    now[0] += 299_000
    assert await deferred("greylist", limits, sender="a@d.example")
    now[0] += 1_000
    assert not await deferred("greylist", limits, sender="A@D.example", recipient="B@l.example")
    assert not await deferred("greylist", limits, sender="a@d.example", client="192.0.2.200"), "a neighbour"
    assert await deferred("greylist", limits, sender="a@d.example", client="192.0.3.9")
    assert await deferred("greylist", limits, sender="a@e.example")
    assert await deferred("greylist", limits, sender="a@d.example", recipient="c@l.example")


async def test_a_sender_whose_path_has_other_numbers_each_time_is_known() -> None:
    now = [NOW_MS]
    limits = LocalLimits(Ledger(1), lambda: now[0])
    assert await deferred("greylist", limits, sender="list-17-b=l@d1.example")
    now[0] += 300_000
    assert not await deferred("greylist", limits, sender="list-18-b=l@d1.example")
    assert await deferred("greylist", limits, sender="list-18-b=l@d2.example"), "the domain's numbers are its name"


async def test_delay_window_and_lifetime_are_the_policys() -> None:
    now = [NOW_MS]
    limits, test = LocalLimits(Ledger(1), lambda: now[0]), 'greylist :key "k" :delay 10 :window 60 :lifetime 100'
    found = []
    for seconds in (0, 9, 1, 90, 101):
        now[0] += seconds * 1000
        found.append(await true_of(test, limits, stage="connect"))
    assert found == [True, True, False, False, True]


async def test_where_nobody_knows_all_are_known() -> None:
    assert not await deferred("greylist", NobodyCounts())
    assert await deferred('greylist :onerror "true"', NobodyCounts())


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ("greylist :delay 0", "a delay is 1 second at least, and shorter than the window, which is 172800"),
        ("greylist :delay 60 :window 60", "a delay is 1 second at least, and shorter than the window, which is 60"),
        ("greylist :lifetime 7776001", "window and lifetime are 7776000 seconds at most"),
        ("greylist :window 7776001", "window and lifetime are 7776000 seconds at most"),
    ],
)
def test_a_greylist_that_can_never_be_right_is_an_error(test: str, error: str) -> None:
    assert error in first_error(f'{REQUIRE} stage "rcpt" {{ if {test} {{ log "x"; }} }}', POLICY)


def test_where_no_recipient_is_known_a_greylist_needs_a_key() -> None:
    error = first_error(f'{REQUIRE} stage "mail" {{ if greylist {{ log "x"; }} }}', POLICY)
    assert "where no recipient is known, greylist needs :key" in error


# --- concurrency --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "left"), [("connect", 1), ("ehlo", 1), ("mail", 0), ("rcpt", 0), ("data", 0)])
async def test_a_place_is_the_sessions_or_the_transactions(stage: str, left: int) -> None:
    ledger, holder = Ledger(1), Holder()
    limits = LocalLimits(ledger, lambda: NOW_MS)
    assert not await true_of("concurrency 1", limits, stage=stage, holder=holder)
    assert not await true_of("concurrency 1", limits, stage=stage, holder=holder)
    assert await true_of("concurrency 1", limits, stage=stage, holder=Holder())
    holder.end_transaction()
    assert len(ledger.places) == left
    holder.end()
    assert not await true_of("concurrency 1", limits, stage=stage, holder=Holder())


async def test_places_are_of_a_key() -> None:
    limits, test = counting(), 'concurrency :key "of ${envelope.from}" 1'
    assert not await true_of(test, limits, sender="a@d.example", holder=Holder())
    assert not await true_of(test, limits, sender="b@d.example", holder=Holder())
    assert await true_of(test, limits, sender="A@d.example", holder=Holder(), client="192.0.2.10")


async def test_where_no_session_can_hold_a_place_nothing_is_known() -> None:
    assert not await true_of("concurrency 1", counting())
    assert await true_of('concurrency :onerror "true" 1', counting())
    assert await true_of('concurrency :onerror "true" 1', NobodyCounts(), holder=Holder())


def test_a_limit_of_none_is_an_error() -> None:
    assert "a limit is 1 to" in first_error(f'{REQUIRE} stage "mail" {{ if concurrency 0 {{ log "x"; }} }}', POLICY)
