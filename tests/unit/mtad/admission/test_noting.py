"""What stages note for those behind them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.admission.facts import MailFacts, MessageFacts, RecipientFacts, SessionFacts
from mtad.admission.noting import LENGTHS_MAX, SYMBOLS_MAX
from mtad.admission.policy import Policy, PolicySettings
from mtad.mail.envelope import Client, Envelope
from mtad.mail.notes import NO_NOTES, Noted, Notes
from mtad.telemetry.events import CollectedEvents

STRANGER = SessionFacts(Client("192.0.2.9", 4711))
REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.score", "vnd.mtad.queue"];\n'


def policy(script: str, events: CollectedEvents | None = None) -> Policy:
    settings = PolicySettings(("l.example",))
    found = Policy.compile(REQUIRE + script, "t", settings, events or CollectedEvents())
    assert isinstance(found, Policy), str(found)
    return found


def after(noted: Noted) -> SessionFacts:
    return replace(STRANGER, client=replace(STRANGER.client, notes=noted.session))


async def test_variables_and_points_reach_the_stages_behind() -> None:
    sieve = policy(
        'stage "connect" { set "session.From" "connect"; score "1" "FIRST"; score "1" "TWICE"; }\n'
        'stage "mail" { set "txn.by" "${session.from}"; set "local" "x"; score "0.5" "MAIL"; ereject "no"; }\n'
        'stage "rcpt" { set "session.from" "rcpt"; set "txn.by" "${txn.by}+${local}"; score "3" "TWICE"; }\n'
        'stage "data" { ereject "${session.from} ${txn.by} ${score}"; }'
    )
    connect = (await sieve.connect(STRANGER)).noted
    assert connect == Noted(Notes({"from": "connect"}, {"FIRST": 1000, "TWICE": 1000}))
    mail = await sieve.mail(MailFacts(after(connect), "a@d.example"))
    assert (mail.reply is not None, mail.noted) == (
        True,
        Noted(connect.session, Notes({"by": "connect"}, {"MAIL": 500})),
    )
    assert mail.noted is not None
    rcpt = (await sieve.rcpt(RecipientFacts(after(mail.noted), "a@d.example", "u@l.example", mail.noted.message))).noted
    assert rcpt is not None
    assert rcpt.session == Notes({"from": "rcpt"}, connect.session.points)
    assert rcpt.message == Notes({"by": "connect+"}, {"MAIL": 500, "TWICE": 3000})
    data = await sieve.data(MessageFacts(after(rcpt), "a@d.example", ("u@l.example",), b"\r\n", rcpt))
    assert (str(data.reply), data.noted) == ("550 5.7.1 rcpt connect+ 4.5", None)


async def test_what_notes_nothing_more_says_so() -> None:
    sieve = policy('stage "mail" { set "txn.a" "1"; set "b" "2"; score "1" "S"; }')
    assert (await sieve.connect(STRANGER)).noted is None
    first = (await sieve.mail(MailFacts(STRANGER, ""))).noted
    assert first == Noted(NO_NOTES, Notes({"a": "1"}, {"S": 1000}))
    assert (await sieve.mail(MailFacts(STRANGER, "", first.message))).noted is None


@pytest.mark.parametrize(
    "block",
    [
        "".join(f'set "txn.a{n}" "{"x" * 1000}";' for n in range(LENGTHS_MAX["txn"] // 1000 + 1)),
        'set "rcpt.a" "' + "x" * LENGTHS_MAX["rcpt"] + '";',
        "".join(f'score "1" "S{n}";' for n in range(SYMBOLS_MAX + 1)),
    ],
)
async def test_what_is_noted_has_a_limit(block: str) -> None:
    events = CollectedEvents()
    verdict = await policy(f'stage "rcpt" {{ {block} }}', events).rcpt(RecipientFacts(STRANGER, "", "u@l.example"))
    assert verdict.reply is not None
    assert verdict.reply.code == 451
    assert verdict.noted is None
    assert len(events.named("policy.fault")) == 1


async def test_each_recipient_has_variables_of_its_own() -> None:
    sieve = policy(
        'stage "rcpt" { set "rcpt.a" "rcpt"; }\n'
        'stage "data" { foreachrcpt { set "txn.all" "${txn.all}<${rcpt.a}>"; set "rcpt.b" "${txn.all}"; } }'
    )
    one = (await sieve.rcpt(RecipientFacts(STRANGER, "", "u@l.example"))).noted
    assert one == Noted(recipients={"u@l.example": Notes({"a": "rcpt"})})
    data = await sieve.data(MessageFacts(STRANGER, "", ("u@l.example", "v@l.example"), b"\r\n", one))
    assert data.noted == Noted(
        message=Notes({"all": "<rcpt><>"}),
        recipients={"u@l.example": Notes({"a": "rcpt", "b": "<rcpt>"}), "v@l.example": Notes({"b": "<rcpt><>"})},
    )


async def test_where_a_recipient_goes_may_turn_on_what_was_noted() -> None:
    sieve = policy('stage "deliver" { if string "${txn.a}${rcpt.b}" "12" { queue; } }')
    envelope = Envelope("a@d.example", STRANGER.client, notes=Notes({"a": "1"}))
    assert (await sieve.deliver(envelope, "u@l.example", Notes({"b": "2"}))).queue_at_once
    assert not (await sieve.deliver(envelope, "u@l.example")).queue_at_once
    assert not (await sieve.deliver(replace(envelope, notes=NO_NOTES), "u@l.example", Notes({"b": "2"}))).queue_at_once
