"""Replies: what a next hop sent, and what we send."""

import pytest

from mtad.mail.reply import TEXT_OCTETS_MAX, Reply, local_fault


@pytest.mark.parametrize(
    ("code", "lines", "enhanced", "text"),
    [
        (250, ("2.1.5 Ok",), "2.1.5", "2.1.5 Ok"),
        (250, ("Ok",), "", "Ok"),
        (550, ("5.1.1 <x@y>: unknown", "5.1.1 see help"), "5.1.1", "5.1.1 <x@y>: unknown see help"),
        (450, ("5.1.1 wrong class",), "", "5.1.1 wrong class"),
        (250, ("2.0.0",), "2.0.0", "2.0.0"),
        (250, ("",), "", ""),
    ],
)
def test_an_enhanced_status_code_is_split_off_where_it_is_one(code, lines, enhanced, text):
    reply = Reply.parse(code, lines)
    assert (reply.code, reply.enhanced, reply.text) == (code, enhanced, text)


def test_every_line_of_a_reply_carries_code_and_enhanced_code():
    assert Reply.of(550, "5.7.1", "No", "thanks").octets() == b"550-5.7.1 No\r\n550 5.7.1 thanks\r\n"
    assert Reply.of(354, "", "Go on").octets() == b"354 Go on\r\n"


def test_nothing_in_a_reply_ends_its_line_early_or_grows_it_without_bound():
    reply = Reply.of(550, "5.0.0", "a\r\n250 2.0.0 Ok\0" + "x" * 2000)
    assert reply.octets().count(b"\r\n") == 1
    assert b"\0" not in reply.octets()
    assert len(reply.lines[0]) == TEXT_OCTETS_MAX


def test_a_fault_of_ours_is_transient_and_tells_only_its_reference():
    assert local_fault("01ABC").octets() == b"451 4.3.0 Local error, ref 01ABC\r\n"


@pytest.mark.parametrize(
    ("code", "kind"), [(250, "positive"), (354, "positive"), (421, "transient"), (451, "transient"), (554, "permanent")]
)
def test_the_first_digit_decides(code, kind):
    reply = Reply.of(code, "")
    assert [reply.is_positive, reply.is_transient, reply.is_permanent].count(True) == 1
    assert getattr(reply, f"is_{kind}")
