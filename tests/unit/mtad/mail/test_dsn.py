"""DSNs: what mail readers, RFC 3464 and RFC 6533 expect of them, and who gets none."""

import email
from dataclasses import replace
from email import policy

import pytest

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn import (
    RETURNED_CONTENT_OCTETS_MAX,
    RETURNED_HEADER_OCTETS_MAX,
    VERP_REPORTS_MAX,
    Action,
    Notice,
    Report,
    Reported,
    by_event,
    compose,
    message_id,
    notice_of,
)
from mtad.mail.dsn_request import NO_REQUEST, MessageRequest, Notify, RecipientRequest, Return
from mtad.mail.outcome import Outcome, Result, Success
from mtad.mail.reply import Reply

CONTENT = b"From: a@example.org\r\nSubject: hello\r\n\r\nThe secret body\r\n"
TAKEN = Outcome(Result.DELIVERED, Reply.of(250, "2.6.0", "Taken"), "mx.example.net", Success.RELAYED)
NO_USER = Outcome(Result.FAILED, Reply.of(550, "5.1.1", "User unknown"), "mx.example.net")
TIMED_OUT = Outcome(Result.DELAYED, Reply.of(451, "4.4.1", "Connection timed out"))
REFUSED = Notice("bob@example.net", Action.FAILED, NO_USER)
EXPIRED = Notice("eve@example.net", Action.FAILED, TIMED_OUT, is_expired=True)
LATE = Notice("ann@example.net", Action.DELAYED, TIMED_OUT, retry_until_ms=1_700_432_000_000)
RELAYED = Notice("joe@example.net", Action.RELAYED, TAKEN)
BOXED = Notice("sue@example.net", Action.DELIVERED, replace(TAKEN, success=Success.DELIVERED, next_hop="unix:/lmtp"))
MESSAGE = Reported("01JD4Z8Q6K100000", "alice@example.org", 1_700_000_000_000, is_sender_known=True)


def report(*notices, content=CONTENT, of=MESSAGE, **changed):
    return Report("mx.example.com", replace(of, **changed), notices, content, 1_700_000_500_000)


def parsed(made):
    return email.message_from_bytes(made, policy=policy.default)


def fields(made):
    """Return the machine-readable blocks."""
    return list(parsed(made).iter_parts())[1].get_payload()


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
    whole, bob, eve = fields(compose(report(REFUSED, EXPIRED)))
    assert whole["Reporting-MTA"] == "dns; mx.example.com"
    assert whole["Arrival-Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert "Original-Envelope-Id" not in whole
    assert bob["Final-Recipient"] == "rfc822; bob@example.net"
    assert (bob["Action"], bob["Status"]) == ("failed", "5.1.1")
    assert bob["Remote-MTA"] == "dns; mx.example.net"
    assert bob["Diagnostic-Code"] == "smtp; 550 5.1.1 User unknown"
    assert (eve["Action"], eve["Status"]) == ("failed", "5.4.7")
    assert (eve["Remote-MTA"], eve["Original-Recipient"], eve["Will-Retry-Until"]) == (None, None, None)


@pytest.mark.parametrize(
    ("outcome", "code", "shown"),
    [
        (NO_USER, "smtp; 550 5.1.1 User unknown", b"mx.example.net answered: 550 5.1.1 User unknown"),
        (replace(NO_USER, is_ours=True), "X-mtad; 550 5.1.1 User unknown", b"mx.example.net: 550 5.1.1 User unknown"),
        (replace(NO_USER, next_hop=""), "X-mtad; 550 5.1.1 User unknown", b"      550 5.1.1 User unknown"),
    ],
)
def test_what_we_say_ourselves_is_not_put_into_the_mouth_of_a_next_hop(outcome, code, shown):
    made = compose(report(replace(REFUSED, outcome=outcome)))
    assert fields(made)[1]["Diagnostic-Code"] == code
    assert shown in made


def test_a_delay_says_how_long_it_will_be_tried():
    made = compose(report(LATE))
    (_, ann) = fields(made)
    assert (ann["Action"], ann["Status"]) == ("delayed", "4.4.1")
    assert ann["Will-Retry-Until"] == "Sun, 19 Nov 2023 22:13:20 +0000"
    assert parsed(made)["Subject"] == "Delayed mail: it is still being tried"
    told = next(parsed(made).iter_parts()).get_content()
    assert "no need to send it again" in told
    assert "until Sun, 19 Nov 2023 22:13:20 +0000" in told
    assert "could not be delivered" not in told


def test_a_success_says_whether_more_will_be_heard():
    made = compose(report(RELAYED, BOXED))
    (_, joe, sue) = fields(made)
    assert (joe["Action"], joe["Status"], joe["Remote-MTA"]) == ("relayed", "2.6.0", "dns; mx.example.net")
    assert (sue["Action"], sue["Status"], sue["Remote-MTA"]) == ("delivered", "2.6.0", None)
    told = next(parsed(made).iter_parts()).get_content()
    assert told.count("you will hear no more") == 1
    assert told.count("delivered to the mailbox") == 1


@pytest.mark.parametrize(
    ("next_hop", "name"),
    [
        ("mx.example.net", "dns; mx.example.net"),
        ("192.0.2.1", "dns; [192.0.2.1]"),
        ("2001:db8::1", "dns; [IPv6:2001:db8::1]"),
        ("unix:/run/lmtp", None),
        ("", None),
    ],
)
def test_the_next_hop_is_named_as_a_host_or_an_address_literal(next_hop, name):
    notice = replace(REFUSED, outcome=replace(NO_USER, next_hop=next_hop))
    assert fields(compose(report(notice)))[1]["Remote-MTA"] == name


def test_what_the_sender_named_comes_back():
    requests = {"bob@example.net": RecipientRequest(original="rfc822;Robert+x@example.org")}
    whole, bob, eve = fields(
        compose(report(REFUSED, EXPIRED, request=MessageRequest(envid="QQ=314"), requests=requests))
    )
    assert whole["Original-Envelope-Id"] == "QQ=314"
    assert bob["Original-Recipient"] == "rfc822; Robert+x@example.org"
    assert eve["Original-Recipient"] is None


def test_what_is_not_known_is_said():
    lost = Outcome(Result.UNKNOWN, Reply.of(450, "4.4.2", "Connection lost"), "mx.example.net")
    in_doubt = Notice("ann@example.net", Action.FAILED, lost, is_expired=True, is_in_doubt=True)
    made = compose(report(EXPIRED, in_doubt))
    assert next(parsed(made).iter_parts()).get_content().count("it may have arrived all the same") == 1
    assert [each["Status"] for each in fields(made)[1:]] == ["5.4.7", "5.4.7"]


@pytest.mark.parametrize(
    ("ret", "notice", "size", "is_whole"),
    [
        (Return.FULL, REFUSED, 0, True),
        (Return.FULL, REFUSED, RETURNED_CONTENT_OCTETS_MAX, False),
        (Return.FULL, LATE, 0, False),
        (Return.FULL, RELAYED, 0, False),
        (Return.HEADERS, REFUSED, 0, False),
        (Return.UNSAID, REFUSED, 0, False),
    ],
)
def test_the_body_comes_back_with_a_failure_alone_and_where_it_is_asked_for(ret, notice, size, is_whole):
    content = CONTENT + (b"x" * 78 + b"\r\n") * (size // 80)
    made = compose(report(notice, content=content, request=MessageRequest(ret)))
    returned = list(parsed(made).iter_parts())[2]
    assert returned.get_content_type() == ("message/rfc822" if is_whole else "text/rfc822-headers")
    assert b"Subject: hello\r\n" in made
    assert (b"secret" in made) is is_whole
    assert (b"The header of your message follows" in made) is not is_whole


@pytest.mark.parametrize("odd", [b"nul \0\r\n", b"stray \r return\r\n", b"no end"])
def test_a_message_that_is_no_text_comes_back_without_its_body(odd):
    made = compose(report(REFUSED, content=CONTENT + odd, request=MessageRequest(Return.FULL)))
    assert b"secret" not in made


def test_a_huge_header_is_cut_at_a_line():
    content = b"X-Filler: 1234567890\r\n" * 10_000 + b"\r\nbody"
    made = compose(report(REFUSED, content=content))
    assert len(made) < RETURNED_HEADER_OCTETS_MAX + 10_000
    assert b"X-Filler: 1234567890\r\n\r\n--=_" in made


def test_nothing_of_a_stranger_breaks_out_of_its_line():
    answer = Outcome(Result.FAILED, Reply(550, "5.0.0", ("no\r\nAction: delivered", "a\u0085\u2028b")), "a\r\nb")
    evil = Notice("x\r\nBcc: y@example.org", Action.FAILED, answer)
    for is_utf8 in (False, True):
        made = compose(report(evil, is_utf8=is_utf8, reverse_path="ü@example.org", arrival_ms=1))
        for line in made.split(b"\r\n"):
            assert not line.startswith((b"Bcc:", b"Action: delivered", b"b"))


def test_what_a_next_hop_says_at_length_makes_no_long_line():
    answer = replace(NO_USER, reply=Reply.of(550, "5.1.1", "a few words", "ü" * 399, *["and more words"] * 200))
    notice = replace(REFUSED, outcome=answer, address="ü@" + "d" * 900 + ".example")
    made = compose(report(notice, is_utf8=True))
    assert max(len(line) for line in made.split(b"\r\n")) <= 998
    (_, bob) = fields(compose(report(replace(REFUSED, outcome=answer))))
    assert bob["Diagnostic-Code"].replace("\n", "").endswith("and more words and more words")
    assert bob["Status"] == "5.1.1"


def test_the_same_news_has_the_same_message_id_on_both_nodes():
    assert message_id(report(REFUSED, EXPIRED)) == message_id(report(EXPIRED, REFUSED))
    assert message_id(report(REFUSED)) != message_id(report(EXPIRED))
    late = replace(LATE, address=REFUSED.address)
    assert message_id(report(REFUSED)) != message_id(report(late))
    assert message_id(report(LATE)) != message_id(report(replace(LATE, is_late=True))), "each is told once"


def test_eight_bit_headers_are_declared():
    made = compose(report(REFUSED, content="Subject: grüße\r\n\r\n".encode()))
    assert b"Content-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: 8bit" in made


def test_a_message_in_utf8_gets_the_global_forms():
    jörg = replace(REFUSED, address="jörg@example.net", outcome=replace(NO_USER, reply=Reply.of(550, "5.1.1", "nö")))
    requests = {jörg.address: RecipientRequest(original="utf-8;öde@example.org")}
    made = compose(report(jörg, is_utf8=True, requests=requests))
    parts = list(parsed(made).iter_parts())
    assert [part.get_content_type() for part in parts] == [
        "text/plain",
        "message/global-delivery-status",
        "message/global-headers",
    ]
    assert "<jörg@example.net>" in parts[0].get_content()
    assert "Final-Recipient: utf-8; jörg@example.net\r\n".encode() in made
    assert "Original-Recipient: utf-8; öde@example.org\r\n".encode() in made
    assert "Diagnostic-Code: smtp; 550 5.1.1 nö\r\n".encode() in made
    whole = compose(report(jörg, is_utf8=True, requests=requests, request=MessageRequest(Return.FULL)))
    assert list(parsed(whole).iter_parts())[2].get_content_type() == "message/global"


def test_a_message_in_ascii_gets_the_plain_forms_whatever_its_sender_could():
    made = compose(report(REFUSED, is_utf8=True))
    assert made.isascii()
    assert [part.get_content_type() for part in parsed(made).iter_parts()][1] == "message/delivery-status"


def test_an_address_in_utf8_stands_encoded_in_the_plain_form():
    requests = {REFUSED.address: RecipientRequest(original="utf-8;jörg@example.org")}
    _, bob = fields(compose(report(REFUSED, requests=requests)))
    assert bob["Original-Recipient"] == "utf-8; j\\x{F6}rg@example.org"


@pytest.mark.parametrize("bad", [report(REFUSED, reverse_path=""), report()])
def test_there_must_be_somebody_to_tell_and_something_to_say(bad):
    with pytest.raises(ValueError, match="reverse-path"):
        compose(bad)


# --- who is told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "notice", "is_queued", "why"),
    [
        ({}, REFUSED, False, ""),
        ({}, LATE, True, ""),
        ({}, RELAYED, False, "not asked for"),
        ({"reverse_path": ""}, REFUSED, True, "null reverse-path"),
        ({"is_sender_known": False}, REFUSED, False, "sender is not verified"),
        ({"is_sender_known": False}, REFUSED, True, ""),
        ({"is_sender_known": False}, LATE, True, "sender is not verified"),
        ({"requests": {REFUSED.address: RecipientRequest(Notify.NEVER)}}, REFUSED, True, "not asked for"),
        ({"requests": {REFUSED.address: RecipientRequest(Notify.SUCCESS)}}, REFUSED, True, "not asked for"),
        ({"requests": {LATE.address: RecipientRequest(Notify.FAILURE)}}, LATE, True, "not asked for"),
        ({"requests": {RELAYED.address: RecipientRequest(Notify.SUCCESS)}}, RELAYED, False, ""),
        (
            {"is_sender_known": False, "requests": {RELAYED.address: RecipientRequest(Notify.SUCCESS)}},
            RELAYED,
            True,
            "sender is not verified",
        ),
    ],
)
def test_who_is_told(changed, notice, is_queued, why):
    assert replace(MESSAGE, **changed).why_untold(notice, is_queued=is_queued) == why


def test_an_outcome_is_news_where_it_is_final_and_was_to_be_told():
    asked = RecipientRequest(Notify.SUCCESS)
    assert notice_of("a", NO_USER, NO_REQUEST) == Notice("a", Action.FAILED, NO_USER)
    assert notice_of("a", TAKEN, asked) == Notice("a", Action.RELAYED, TAKEN)
    assert notice_of("a", TAKEN, NO_REQUEST) is None
    assert notice_of("a", replace(TAKEN, success=Success.TOLD), asked) is None
    assert notice_of("a", TIMED_OUT, asked) is None


def test_a_dsn_speaks_of_one_event():
    assert by_event([RELAYED, LATE, REFUSED, BOXED, EXPIRED]) == ((REFUSED, EXPIRED), (LATE,), (RELAYED, BOXED))


def test_where_the_reverse_path_names_the_recipient_each_has_a_dsn_of_its_own():
    assert by_event([RELAYED, REFUSED, EXPIRED], is_verp=True) == ((REFUSED,), (EXPIRED,), (RELAYED,))
    made = report(REFUSED, is_verp=True, request=MessageRequest(Return.FULL))
    assert made.to == "alice+bob=example.net@example.org"
    assert parsed(compose(made))["To"] == made.to
    assert b"secret body" not in compose(made)
    assert b"secret body" in compose(report(REFUSED, request=MessageRequest(Return.FULL)))


def test_too_many_recipients_for_a_dsn_each_share_one():
    most = tuple(replace(REFUSED, address=f"bob{number}@example.net") for number in range(VERP_REPORTS_MAX))
    assert by_event(most, is_verp=True) == tuple((one,) for one in most)
    assert by_event([*most, EXPIRED, LATE], is_verp=True) == ((*most, EXPIRED), (LATE,))
    assert report(*most, EXPIRED, is_verp=True).to == "alice@example.org"


IN_TIME = DeliverBy(1_700_000_400_000, Late.NOTIFY)


def test_what_is_late_says_so_and_by_when_it_was_to_be_delivered():
    asked = MessageRequest(by=IN_TIME)
    (message, ann) = fields(compose(report(replace(LATE, is_late=True), request=asked)))
    assert message["Deliver-By-Date"] == "Tue, 14 Nov 2023 22:20:00 +0000"
    assert (ann["Action"], ann["Status"]) == ("delayed", "4.4.7")
    (_, eve) = fields(compose(report(replace(EXPIRED, is_late=True), request=asked)))
    assert (eve["Action"], eve["Status"]) == ("failed", "5.4.7")
    assert fields(compose(report(LATE)))[0]["Deliver-By-Date"] is None


def test_times_that_differ_are_none_of_the_message():
    requests = {"bob@example.net": RecipientRequest(by=replace(IN_TIME, until_ms=1))}
    (message, *_) = fields(compose(report(REFUSED, EXPIRED, request=MessageRequest(by=IN_TIME), requests=requests)))
    assert message["Deliver-By-Date"] is None


@pytest.mark.parametrize(
    ("notify", "is_news"),
    [(Notify.UNSAID, True), (Notify.FAILURE, True), (Notify.SUCCESS, True), (Notify.NEVER, False)],
)
def test_a_relay_of_mail_with_a_time_is_told_unless_nothing_is_to_be(notify, is_news):
    traced, asked = replace(TAKEN, success=Success.TRACED), RecipientRequest(notify)
    notice = notice_of("joe@example.net", traced, asked)
    assert (notice is not None) is is_news
    if notice is not None:
        assert replace(MESSAGE, requests={"joe@example.net": asked}).why_untold(notice, is_queued=False) == ""
        made = compose(report(notice))
        assert fields(made)[1]["Action"] == "relayed"
        assert "not known here" in next(parsed(made).iter_parts()).get_content()
