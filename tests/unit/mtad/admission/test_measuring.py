"""What a policy measures is told where it is counted, and not again of mail that is tried again."""

from __future__ import annotations

from mtad.admission.facts import MailFacts, MessageFacts, SessionFacts
from mtad.admission.in_effect import PolicyInEffect
from mtad.admission.policy import Policy, PolicySettings
from mtad.mail.envelope import Client, Envelope
from mtad.sieve.run import Limits
from mtad.telemetry.events import CollectedEvents
from mtad.telemetry.tally import Tally

STRANGER = SessionFacts(Client("192.0.2.9", 4711, helo="mx.d.example"), "smtp")
MEASURED = """
require ["variables", "envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.log"];
stage "ehlo" { metric "greetings_total"; if string "1" "2" { tempfail "never"; } }
stage "data" {
    foreachrcpt { metric :labels ["to", "${envelope.to}"] "recipients_total"; }
    metric :set 7 "level";
}
stage "deliver" { metric "routed_total"; }
stage "mail" { metric "broken_total"; log "${1}"; }
"""


def measuring(text: str = MEASURED, limits: Limits | None = None) -> tuple[Policy, Tally]:
    tally = Tally(CollectedEvents())
    settings = PolicySettings(("l.example",), limits or Limits(), meter=tally)
    found = Policy.compile(text, "t", settings, CollectedEvents())
    assert isinstance(found, Policy), str(found)
    return found, tally


def counted(tally: Tally) -> dict[str, float]:
    return {
        " ".join((family.metric.name, *sample.values)): sample.number
        for family in tally.families()
        for sample in family.samples
    }


async def test_what_a_policy_measures_is_told_once_for_each_stage_that_ends() -> None:
    policy, tally = measuring()
    for _ in range(2):
        assert (await policy.ehlo(STRANGER)).reply is None
    await policy.data(MessageFacts(STRANGER, "a@s.example", ("b@l.example", "c@l.example"), b"\r\n"))
    assert counted(tally) == {
        "greetings_total": 2,
        "recipients_total b@l.example": 1,
        "recipients_total c@l.example": 1,
        "level": 7,
    }


async def test_a_stage_that_fails_has_measured_nothing() -> None:
    policy, tally = measuring(limits=Limits(actions_max=1))
    assert (await policy.mail(MailFacts(STRANGER, "a@s.example"))).reply is not None
    assert counted(tally) == {}


async def test_what_is_tried_again_from_the_queue_is_not_measured_again() -> None:
    policy, tally = measuring()
    envelope = Envelope("a@s.example", STRANGER.client)
    await policy.deliver(envelope, "b@l.example")
    await policy.deliver(envelope, "b@l.example", is_anew=True)
    in_effect = PolicyInEffect(policy, lambda: policy, CollectedEvents(), lambda: 0)
    await in_effect.deliver(envelope, "b@l.example")
    assert counted(tally) == {"routed_total": 1}
