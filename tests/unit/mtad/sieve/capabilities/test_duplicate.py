from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mtad.admission.facts import MessageFacts, SessionFacts
from mtad.admission.policy import Policy, PolicySettings
from mtad.limits.ledger import Ledger
from mtad.limits.questions import Answer, Question
from mtad.mail.envelope import Client
from mtad.sieve.capabilities.duplicate import SECONDS_DEFAULT, SECONDS_MAX
from mtad.sieve.code import Waiting
from mtad.sieve.dialects import PLAIN
from mtad.sieve.doors import Doors, Sighting
from mtad.sieve.language import OUTSIDE
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from mtad.telemetry.events import CollectedEvents
from tests.fakes.sieve_facts import StillFacts, first_error

FACTS = StillFacts(b"Message-ID: <1@x>\r\nX-Event: e1\r\nX-Empty:\r\n\r\n")


async def asked(test: str, answer: bool = False, *, is_there: bool = True) -> tuple[bool, list[Sighting]]:
    """Return what the test came to, and what was asked."""
    sightings: list[Sighting] = []

    async def seen(sighting: Sighting) -> bool:
        sightings.append(sighting)
        return answer

    script = compile_script(f'require ["duplicate", "variables"]; if {test} {{ keep; }}', "t", PLAIN)
    assert isinstance(script, Script), str(script)
    code = script.stages[OUTSIDE]
    assert isinstance(code, Waiting)
    run = Run(FACTS, Limits(), Doors(seen=seen) if is_there else Doors())
    await code.call(run)
    return bool(run.actions), sightings


@pytest.mark.parametrize(
    ("test", "sighting"),
    [
        ("duplicate", Sighting("", "<1@x>", SECONDS_DEFAULT, False)),
        ('duplicate :header "X-Event"', Sighting("", "e1", SECONDS_DEFAULT, False)),
        ('duplicate :uniqueid "u${none}1" :handle "h" :seconds 60 :last', Sighting("h", "u1", 60, True)),
        ("duplicate :seconds 999999999", Sighting("", "<1@x>", SECONDS_MAX, False)),
    ],
)
async def test_what_is_asked(test: str, sighting: Sighting) -> None:
    assert await asked(test) == (False, [sighting])
    assert await asked(test, answer=True) == (True, [sighting])


@pytest.mark.parametrize(
    "test", ['duplicate :header "X-None"', 'duplicate :header "X-Empty"', 'duplicate :uniqueid ""']
)
async def test_what_has_nothing_to_be_known_by_was_never_seen(test: str) -> None:
    assert await asked(test, answer=True) == (False, [])


async def test_where_nobody_remembers_the_run_fails() -> None:
    with pytest.raises(ScriptFailed, match="seen before"):
        await asked("duplicate", is_there=False)


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ('duplicate :header "a b"', '"a b" is no name of a field'),
        ('duplicate :header "a" :uniqueid "b"', ":uniqueid stands beside :header: only one of them is possible"),
    ],
)
def test_mistakes(test: str, error: str) -> None:
    assert first_error(f'require "duplicate"; if {test} {{ }}').endswith(error)


SCRIPT = (
    'require ["duplicate", "variables", "vnd.mtad.stage", "vnd.mtad.verdict"];\nstage "data" { if %s { discard; } }'
)


@dataclass
class Counting:
    """A policy whose counters count in a time of its own."""

    now_ms: int = 1_800_000_000_000
    ledger: Ledger = field(default_factory=lambda: Ledger(1))

    async def ask(self, question: Question) -> Answer:
        return self.ledger.ask(question, self.now_ms)

    def policy(self, test: str) -> Policy:
        settings = PolicySettings(outside=Outside(limits=self))
        found = Policy.compile(SCRIPT % test, "t", settings, CollectedEvents())
        assert isinstance(found, Policy), str(found)
        return found

    async def is_known(self, test: str, *, is_accepted: bool = True) -> bool:
        policy = self.policy(test)
        facts = MessageFacts(SessionFacts(Client("192.0.2.9", 1)), "", (), b"Message-ID: <1@x>\r\n\r\n")
        verdict = await policy.data(facts)
        if is_accepted:
            await policy.remember(verdict.seen)
        return verdict.is_discarded


async def test_a_policy_knows_what_it_has_accepted() -> None:
    counting, test = Counting(), "duplicate :seconds 80"
    assert not await counting.is_known(test, is_accepted=False)
    assert not await counting.is_known(test)
    assert not await counting.is_known('duplicate :seconds 80 :handle "other"')
    counting.now_ms += 79_000
    assert await counting.is_known(test)
    counting.now_ms += 12_000  # from the first time on, and an eighth of the seconds
    assert not await counting.is_known(test)


async def test_or_from_the_last_time_on() -> None:
    counting, test = Counting(), "duplicate :seconds 80 :last"
    assert not await counting.is_known(test)
    for _ in range(3):
        counting.now_ms += 79_000
        assert await counting.is_known(test)
    counting.now_ms += 91_000
    assert not await counting.is_known(test)


async def test_where_nobody_counts_nothing_was_seen_and_the_log_says_so() -> None:
    events = CollectedEvents()
    policy = Policy.compile(SCRIPT % "duplicate :seconds 0", "t", PolicySettings(), events)
    assert isinstance(policy, Policy)
    facts = MessageFacts(SessionFacts(Client("192.0.2.9", 1)), "", (), b"Message-ID: <1@x>\r\n\r\n")
    verdict = await policy.data(facts)
    assert not verdict.is_discarded
    assert [one.seconds for one in verdict.seen] == [1]
    assert [fields["text"] for fields in events.named("policy.log")] == ["duplicate: nobody counts here"]


async def test_what_a_message_is_known_by_is_limited() -> None:
    tests = ", ".join(f'duplicate :uniqueid "{number}"' for number in range(17))
    counting, events = Counting(), CollectedEvents()
    settings = PolicySettings(outside=Outside(limits=counting))
    policy = Policy.compile(SCRIPT % f"anyof ({tests})", "t", settings, events)
    assert isinstance(policy, Policy)
    verdict = await policy.data(MessageFacts(SessionFacts(Client("192.0.2.9", 1)), "", (), b"\r\n"))
    assert verdict.reply is not None
    assert "LimitExceeded: what is to be remembered" in str(events.named("policy.fault"))
