"""Arguments of MAIL and RCPT; tests/dialog/transcripts/paths.txt and parameters.txt have the refusals."""

from __future__ import annotations

import time

import pytest

from mtad.mail.dsn_request import MessageRequest, Notify, RecipientRequest, Return
from mtad.mail.reply import Reply
from mtad.server.parameters import MailArgument, RcptArgument, parse_mail, parse_rcpt


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("FROM:<>", MailArgument("")),
        ("FROM:<> SIZE=0", MailArgument("")),
        ("from:  <a@b.example>  size=12   body=8bitmime ", MailArgument("a@b.example", 12, True)),
        ("FROM:<a@b.example> BODY=7BIT", MailArgument("a@b.example")),
        ("FROM:<a@b.example> BODY=BinaryMime", MailArgument("a@b.example", is_binary=True)),
        ("FROM:<ü@b.example> SMTPUTF8", MailArgument("ü@b.example", is_utf8=True)),
        ('FROM:<"a\\">b"@b.example>', MailArgument('"a\\">b"@b.example')),
        ("FROM:<@one.example:a@b.example>", MailArgument("a@b.example")),
        ("FROM:<a@b> ret=full ENVID=QQ+3D1", MailArgument("a@b", request=MessageRequest(Return.FULL, "QQ=1"))),
    ],
)
def test_mail(argument: str, said: MailArgument) -> None:
    assert parse_mail(argument, is_binary_offered=True) == said


def test_binary_content_where_it_is_not_offered() -> None:
    refusal = parse_mail("FROM:<a@b.example> BODY=BINARYMIME")
    assert isinstance(refusal, Reply)
    assert str(refusal).startswith("501 5.5.4")


@pytest.mark.parametrize("argument", ["TO:<b@example.net>", "to: <b@example.net> "])
def test_rcpt(argument: str) -> None:
    assert parse_rcpt(argument, is_utf8=False) == RcptArgument("b@example.net")


@pytest.mark.parametrize(
    ("parameters", "request_"),
    [
        ("NOTIFY=never", RecipientRequest(Notify.NEVER)),
        ("NOTIFY=SUCCESS,DELAY", RecipientRequest(Notify.SUCCESS | Notify.DELAY)),
        ("orcpt=rfc822;Bob+2Bx@example.org", RecipientRequest(original="rfc822;Bob+x@example.org")),
        (
            "ORCPT=utf-8;j\\x{F6}rg@example.org NOTIFY=FAILURE",
            RecipientRequest(Notify.FAILURE, "utf-8;jörg@example.org"),
        ),
    ],
)
def test_rcpt_requests(parameters: str, request_: RecipientRequest) -> None:
    assert parse_rcpt(f"TO:<b@example.net> {parameters}", is_utf8=False) == RcptArgument("b@example.net", request_)


def test_an_original_recipient_in_utf8_needs_smtputf8() -> None:
    argument = "TO:<b@example.net> ORCPT=utf-8;jörg@example.org"
    assert isinstance(parse_rcpt(argument, is_utf8=False), Reply)
    said = RcptArgument("b@example.net", RecipientRequest(original="utf-8;jörg@example.org"))
    assert parse_rcpt(argument, is_utf8=True) == said


@pytest.mark.parametrize("argument", ["TO:<ö@example.net>", "TO:<a@b> X=1", "TO:<>", "TO:<a@b", "FROM:<a@b>", ""])
def test_rcpt_refusals_are_permanent(argument: str) -> None:
    refusal = parse_rcpt(argument, is_utf8=False)
    assert isinstance(refusal, Reply)
    assert refusal.is_permanent
    assert refusal.enhanced.startswith("5.")


@pytest.mark.parametrize("unit", ['"', '"\\', "<", "a ", "@a,", "x="])
def test_hostile_arguments_take_no_time(unit: str) -> None:
    started = time.process_time()
    parse_mail("FROM:<" + unit * (2048 // len(unit)))
    parse_mail("FROM:<a@b.example> " + unit * (2000 // len(unit)))
    assert time.process_time() - started < 0.5
