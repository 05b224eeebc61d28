from __future__ import annotations

from mtad.admission.listener import ListenerPolicy
from mtad.admission.policy import Policy, PolicySettings
from mtad.mail.dsn_request import MessageRequest, Notify, RecipientRequest, Return
from mtad.mail.envelope import Client, Envelope, Recipient
from mtad.mail.route import Route
from mtad.telemetry.events import CollectedEvents

CLIENT = Client("192.0.2.9", 4711, helo="mx.d.example", listener="inside")


def listener(script: str) -> ListenerPolicy:
    head = 'require ["envelope", "environment", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.queue"];\n'
    found = Policy.compile(head + script, "t", PolicySettings(("l.example",)), CollectedEvents())
    assert isinstance(found, Policy), str(found)
    return ListenerPolicy(found)


async def test_every_question_carries_what_the_session_knows() -> None:
    stages = ("connect", "ehlo", "auth", "mail", "rcpt", "data")
    sieve = listener(
        "".join(
            f'stage "{stage}" {{ if environment "vnd.mtad.listener" "inside" {{ accept :text "{stage}"; }} }}\n'
            for stage in stages
        )
        + 'stage "deliver" { if envelope "to" "u@l.example" { queue; } }'
    )
    envelope = Envelope("a@d.example", CLIENT, (Recipient("u@l.example", Route()),))
    verdicts = [
        await sieve.connect(CLIENT),
        await sieve.ehlo(CLIENT),
        await sieve.auth(CLIENT),
        await sieve.mail(envelope),
        await sieve.rcpt(envelope, "u@l.example"),
        await sieve.data(envelope, b"\r\n"),
    ]
    assert [verdict.text for verdict in verdicts] == list(stages)
    assert (await sieve.deliver(envelope, "u@l.example")).queue_at_once


async def test_a_submission_may_go_anywhere_and_a_stranger_may_not() -> None:
    sieve = listener("")
    assert (await sieve.rcpt(Envelope("", CLIENT, is_trusted=True), "u@d.example")).reply is None
    assert (await sieve.rcpt(Envelope("", CLIENT), "u@d.example")).reply is not None


async def test_data_sees_reverse_path_recipients_and_content() -> None:
    script = (
        'stage "data" { if allof (envelope "from" "a@d.example", envelope "to" "v@l.example", exists "x-y") '
        '{ ereject "seen"; } }'
    )
    recipients = (Recipient("u@l.example", Route()), Recipient("v@l.example", Route()))
    verdict = await listener(script).data(Envelope("a@d.example", CLIENT, recipients), b"X-Y: z\r\n\r\n")
    assert verdict.reply is not None


async def test_what_the_sender_asks_to_be_told_reaches_the_policy() -> None:
    script = (
        'require ["envelope", "envelope-dsn", "variables", "vnd.mtad.stage", "vnd.mtad.verdict"];\n'
        'stage "mail" { if envelope "ret" "HDRS" { accept :text "headers"; } }\n'
        'stage "rcpt" { if envelope :matches "orcpt" "*" { set "o" "${1}"; }\n'
        '    if envelope "notify" "DELAY" { accept :text "${o}"; } }\n'
        'stage "data" { if envelope "envid" "e1" { accept :text "named"; } }\n'
    )
    found = Policy.compile(script, "t", PolicySettings(("l.example",)), CollectedEvents())
    assert isinstance(found, Policy), str(found)
    sieve = ListenerPolicy(found)
    envelope = Envelope("a@d.example", CLIENT, request=MessageRequest(Return.HEADERS, "e1"))
    request = RecipientRequest(Notify.SUCCESS | Notify.DELAY, "rfc822;b@e.example")
    assert (await sieve.mail(envelope)).text == "headers"
    assert (await sieve.rcpt(envelope, "u@l.example", request)).text == "rfc822;b@e.example"
    assert (await sieve.rcpt(envelope, "u@l.example")).text == ""
    assert (await sieve.data(envelope, b"")).text == "named"
    assert (await sieve.data(Envelope("a@d.example", CLIENT), b"")).text == ""
