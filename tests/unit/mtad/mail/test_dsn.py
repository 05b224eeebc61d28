"""DSNs: what mail readers and RFC 3464 expect of them."""

import email
from email import policy

import pytest

from mtad.mail.dsn import RETURNED_HEADER_OCTETS_MAX, FailedRecipient, Report, compose, message_id
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply

CONTENT = b"From: a@example.org\r\nSubject: hello\r\n\r\nThe secret body\r\n"
REFUSED = FailedRecipient(
    "bob@example.net", Outcome(Result.FAILED, Reply.of(550, "5.1.1", "User unknown"), "mx.example.net")
)
EXPIRED = FailedRecipient(
    "eve@example.net", Outcome(Result.DELAYED, Reply.of(451, "4.4.1", "Connection timed out")), is_expired=True
)


def report(*recipients, content=CONTENT, reverse_path="alice@example.org"):
    return Report(
        "mx.example.com", "01JD4Z8Q6K100000", reverse_path, 1_700_000_000_000, recipients, content, 1_700_000_500_000
    )


def parsed(made):
    return email.message_from_bytes(made, policy=policy.default)


def test_a_dsn_has_the_three_parts_of_a_delivery_report():
    message = parsed(compose(report(REFUSED, EXPIRED)))
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "alice@example.org"
    assert not message.defects


def test_each_recipient_has_its_fields():
    _, status, _ = parsed(compose(report(REFUSED, EXPIRED))).iter_parts()
    whole, bob, eve = status.get_payload()
    assert whole["Reporting-MTA"] == "dns; mx.example.com"
    assert bob["Final-Recipient"] == "rfc822; bob@example.net"
    assert (bob["Action"], bob["Status"]) == ("failed", "5.1.1")
    assert bob["Remote-MTA"] == "dns; mx.example.net"
    assert bob["Diagnostic-Code"] == "smtp; 550 5.1.1 User unknown"
    assert (eve["Action"], eve["Status"]) == ("failed", "5.4.7")
    assert eve["Remote-MTA"] is None


def test_what_is_not_known_is_said():
    lost = Outcome(Result.UNKNOWN, Reply.of(450, "4.4.2", "Connection lost"), "mx.example.net")
    in_doubt = FailedRecipient("ann@example.net", lost, is_expired=True, is_in_doubt=True)
    told, status, _ = parsed(compose(report(EXPIRED, in_doubt))).iter_parts()
    assert told.get_content().count("it may have arrived all the same") == 1
    assert [each["Status"] for each in status.get_payload()[1:]] == ["5.4.7", "5.4.7"]


def test_the_header_comes_back_and_the_body_does_not():
    made = compose(report(REFUSED))
    assert b"Subject: hello\r\n" in made
    assert b"secret" not in made


def test_a_huge_header_is_cut_at_a_line():
    content = b"X-Filler: 1234567890\r\n" * 10_000 + b"\r\nbody"
    made = compose(report(REFUSED, content=content))
    assert len(made) < RETURNED_HEADER_OCTETS_MAX + 10_000
    assert b"X-Filler: 1234567890\r\n\r\n--=_" in made


def test_nothing_of_a_stranger_breaks_out_of_its_line():
    evil = FailedRecipient(
        "x\r\nBcc: y@example.org", Outcome(Result.FAILED, Reply.of(550, "5.0.0", "no\r\nAction: delivered"), "a\r\nb")
    )
    for line in compose(report(evil)).split(b"\r\n"):
        assert not line.startswith((b"Bcc:", b"Action: delivered", b"b"))


def test_the_same_failure_has_the_same_message_id_on_both_nodes():
    assert message_id(report(REFUSED, EXPIRED)) == message_id(report(EXPIRED, REFUSED))
    assert message_id(report(REFUSED)) != message_id(report(EXPIRED))


def test_eight_bit_headers_are_declared():
    made = compose(report(REFUSED, content="Subject: grüße\r\n\r\n".encode()))
    assert b"Content-Transfer-Encoding: 8bit" in made


@pytest.mark.parametrize("bad", [report(REFUSED, reverse_path=""), report()])
def test_there_must_be_somebody_to_tell_and_something_to_say(bad):
    with pytest.raises(ValueError, match="reverse-path"):
        compose(bad)
