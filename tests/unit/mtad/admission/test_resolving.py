"""The queue stage: what becomes of recipients that were not delivered to."""

from __future__ import annotations

from dataclasses import replace

from mtad.admission.policy import Policy, PolicySettings
from mtad.mail.envelope import Client, Envelope
from mtad.mail.notes import Notes
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route, TlsLevel
from mtad.mail.verdict import Resolution, RetryPlan, Tried
from mtad.sieve.run import Limits
from mtad.telemetry.events import CollectedEvents

PLAN = RetryPlan((60, 120), 3600, 600)
DELAYED = Outcome(Result.DELAYED, Reply.of(450, "4.2.0", "Busy"), "mx.test")
FAILED = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "Nobody here"), "mx.test")
UNREACHED = Outcome(Result.DELAYED, Reply.of(451, "4.4.1", "No answer"))


async def judged(block: str, outcome: Outcome, *, attempts_count: int = 1, limits: Limits | None = None) -> Resolution:
    text = f"""require ["variables", "envelope", "relational", "comparator-i;ascii-numeric", "vnd.mtad.stage",
        "vnd.mtad.queue", "vnd.mtad.route"]; stage "queue" {{ {block} }}"""
    found = Policy.compile(text, "t", PolicySettings(limits=limits or Limits()), CollectedEvents())
    assert isinstance(found, Policy), str(found)
    envelope = Envelope("a@d.example", Client("192.0.2.9", 1), notes=Notes({"a": "1"}))
    return await found.queue(envelope, "u@l.example", Notes({"b": "2"}), Tried(outcome, PLAN, attempts_count, 90))


async def test_what_policy_leaves_alone_counts_as_what_it_was() -> None:
    for outcome in (DELAYED, FAILED):
        assert await judged("", outcome) == Resolution(outcome, PLAN)
        assert await judged("stop;", outcome) == Resolution(outcome, PLAN)


async def test_a_recipient_is_given_up_in_words_of_our_own() -> None:
    found = await judged('bounce :enhanced "5.2.2" "Full for ${envelope.to}";', DELAYED)
    assert found == Resolution(Outcome(Result.FAILED, Reply.of(554, "5.2.2", "Full for u@l.example")), PLAN)


async def test_nobody_is_told_of_what_is_given_up_silently() -> None:
    assert (await judged('bounce :silent "Gone";', DELAYED)).retry == replace(PLAN, is_silent=True)


async def test_another_route_is_for_the_attempts_that_follow() -> None:
    found = await judged('route :host "b.test" :port 26 "smtp";', DELAYED)
    assert found == Resolution(DELAYED, replace(PLAN, route=Route(hosts=("b.test",), port=26)))
    found = await judged('route "smtp";', DELAYED)
    assert found.retry.route == Route(), "back to the hosts of the domain"
    found = await judged('route :nomx "smtp"; route :nomx :tls "none" "smtp"; defer :after 5;', FAILED)
    assert found.retry == replace(PLAN, intervals_seconds=(5,), route=Route(hosts=("l.example",), tls=TlsLevel.NONE))
    assert found.outcome.result is Result.DELAYED


async def test_attempts_have_an_end() -> None:
    assert (await judged("retry :attempts 3; retry :expire 9;", DELAYED)).retry == RetryPlan((60, 120), 9, 600, 3)


async def test_a_recipient_is_tried_again_whatever_the_next_hop_said() -> None:
    told = Reply.of(450, "4.1.1", "Put off by policy; mx.test said: 550 5.1.1 Nobody here")
    assert await judged("defer;", FAILED) == Resolution(Outcome(Result.DELAYED, told), PLAN)
    later = RetryPlan((7,), 3600, 600)
    assert await judged("defer :after 7;", FAILED) == Resolution(Outcome(Result.DELAYED, told), later)
    assert await judged("defer :after 7;", DELAYED) == Resolution(DELAYED, later)
    for enhanced in ("5.3.4", "5.4.3"):
        too_large = Outcome(Result.FAILED, Reply.of(552, enhanced, "Too large"), "mx.test")
        assert (await judged("defer;", too_large)).outcome.is_counted, "it is no fault of ours"
    assert (await judged("retry :expire 9; defer;", DELAYED)).retry == RetryPlan((60, 120), 9, 600)


async def test_policy_says_why_it_puts_off() -> None:
    told = Reply.of(450, "4.1.1", "Put off by policy: Moved; mx.test said: 550 5.1.1 Nobody here")
    assert await judged('defer "Moved";', FAILED) == Resolution(Outcome(Result.DELAYED, told), PLAN)
    for_now = (await judged('defer "Closed";', DELAYED)).outcome
    assert (for_now.result, for_now.next_hop, for_now.reply.code) == (Result.DELAYED, "", 450)
    assert for_now.reply.text.startswith(f"{for_now.reply.enhanced} Put off by policy: Closed; ")
    assert for_now.is_counted
    unknown = Outcome(Result.DELAYED, Reply.of(451, "4.4.3", "DNS did not tell"))
    assert not (await judged('defer "Closed";', unknown)).outcome.is_counted, "what was not looked up counts nowhere"


async def test_it_knows_the_attempt_and_what_was_noted() -> None:
    numbers = ':value "ge" :comparator "i;ascii-numeric"'
    block = f'if allof (outcome {numbers} "attempts" "3", outcome "class" "%s")' + ' { bounce "${txn.a}${rcpt.b}"; }'
    for kind, outcome in (("connect", UNREACHED), ("transient", DELAYED), ("permanent", FAILED)):
        found = await judged(block % kind, outcome, attempts_count=3)
        assert found.outcome.reply == Reply.of(554, "5.0.0", "12")
        other = await judged(block % kind, outcome, attempts_count=2)
        assert other.outcome == outcome


async def test_where_policy_fails_nobody_is_given_up() -> None:
    for outcome in (DELAYED, FAILED):
        found = await judged("keep; keep;", outcome, limits=Limits(actions_max=1))
        assert (found.outcome.result, found.retry) == (Result.DELAYED, PLAN)
