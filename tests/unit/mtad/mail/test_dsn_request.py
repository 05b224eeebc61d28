"""What senders ask to be told, as it is written and as it is meant; tests/dialog/transcripts/dsn-parameters.txt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn_request import (
    ENVID_OCTETS_MAX,
    ORIGINAL_OCTETS_MAX,
    MessageRequest,
    Notify,
    RecipientRequest,
    notify_text,
    original_text,
    read_envid,
    read_notify,
    read_original,
    xtext,
)

FAILURE, DELAY, SUCCESS = Notify.FAILURE, Notify.DELAY, Notify.SUCCESS


@pytest.mark.parametrize(
    ("value", "notify"),
    [
        ("NEVER", Notify.NEVER),
        ("success", SUCCESS),
        ("FAILURE,Delay", FAILURE | DELAY),
        ("SUCCESS,FAILURE,DELAY", SUCCESS | FAILURE | DELAY),
    ],
)
def test_notify_is_read_and_written(value, notify):
    assert read_notify(value) == notify
    assert read_notify(notify_text(notify)) == notify


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Notify.NEVER, Notify.NEVER, Notify.NEVER),
        (Notify.NEVER, Notify.UNSAID, Notify.UNSAID),
        (Notify.NEVER, SUCCESS, SUCCESS),
        (Notify.UNSAID, Notify.UNSAID, Notify.UNSAID),
        (Notify.UNSAID, SUCCESS, SUCCESS | FAILURE | DELAY),
        (DELAY, FAILURE, FAILURE | DELAY),
    ],
)
def test_who_is_named_twice_is_reported_as_either_name_asks(one, other, both):
    assert RecipientRequest(one).beside(RecipientRequest(other)) == RecipientRequest(both)
    assert RecipientRequest(other).beside(RecipientRequest(one)) == RecipientRequest(both)


def test_of_two_names_the_first_original_is_reported():
    bob, carol = RecipientRequest(original="rfc822;bob@b.test"), RecipientRequest(original="rfc822;carol@b.test")
    assert (bob.beside(carol).original, RecipientRequest().beside(bob).original) == (bob.original, bob.original)


def test_a_time_that_one_name_alone_has_does_not_count():
    soon, later = (RecipientRequest(by=DeliverBy(until_ms, Late.RETURN)) for until_ms in (1_000, 2_000))
    assert [soon.beside(other).by for other in (soon, later, RecipientRequest())] == [soon.by, None, None]
    assert RecipientRequest().beside(soon).by is None


def test_a_time_of_its_own_stands_above_the_messages():
    own, of_all = DeliverBy(1_000, Late.RETURN), DeliverBy(2_000, Late.NOTIFY)
    assert RecipientRequest(by=own).time_in(MessageRequest(by=of_all)) == own
    assert RecipientRequest().time_in(MessageRequest(by=of_all)) == of_all
    assert RecipientRequest(by=own).of_alias("b@b.test").by == own


@pytest.mark.parametrize("value", ["", ",", "NEVER,SUCCESS", "DELAY,NEVER", "SUCCESS,", "UNSAID", "ALWAYS", "0"])
def test_what_is_no_list_is_refused(value):
    assert read_notify(value) is None


@pytest.mark.parametrize(
    ("notify", "wanted"),
    [
        (Notify.UNSAID, {FAILURE, DELAY}),
        (Notify.NEVER, set()),
        (SUCCESS, {SUCCESS}),
        (FAILURE | SUCCESS, {FAILURE, SUCCESS}),
        (DELAY, {DELAY}),
    ],
)
def test_who_says_nothing_hears_of_failure_and_delay(notify, wanted):
    request = RecipientRequest(notify)
    assert {event for event in (SUCCESS, FAILURE, DELAY) if request.wants(event)} == wanted


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("rfc822;bob@example.net", "rfc822;bob@example.net"),
        ("rfc822;bob+2Bx+3D+20@example.net", "rfc822;bob+x= @example.net"),
        ("RFC822;j+C3+B6rg@example.net", "utf-8;jörg@example.net"),  # so Postfix 3.7 has it
        ("x400;c=de", None),  # = may not stand in xtext
        ("utf-8;j\\x{F6}rg@example.net", "utf-8;jörg@example.net"),
        ("UTF-8;jörg@example.net", "UTF-8;jörg@example.net"),
        ("utf-8;a\\x{1F600}", "utf-8;a\U0001f600"),
    ],
)
def test_an_original_recipient_is_decoded(value, meant):
    assert read_original(value) == meant


@pytest.mark.parametrize(
    "value",
    [
        "rfc822",
        "rfc822;",
        ";bob@example.net",
        "rf c;bob",
        "rfc822;bob+2",
        "rfc822;bob+0D+0ABcc:x",
        "utf-8;bob\\x{0D}\\x{0A}Bcc:x",
        "utf-8;\\x{D800}",
        "utf-8;\\x{FFFFFF}",
        "utf-8;a+2Bb",
        "x400;j+C3+B6rg",
        "rfc822;j+F6rg",
        "rfc822;" + "a" * ORIGINAL_OCTETS_MAX,
    ],
)
def test_what_could_end_a_line_or_is_not_encoded_is_refused(value):
    assert read_original(value) is None


def test_an_envelope_id_has_a_limit():
    assert read_envid("a" * ENVID_OCTETS_MAX) == "a" * ENVID_OCTETS_MAX
    assert read_envid("a" * (ENVID_OCTETS_MAX + 1)) is None
    assert read_envid("") is None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
def test_ascii_survives_xtext(text):
    assert read_envid(xtext(text)) == text
    assert read_original(original_text(f"rfc822;{text}")) == f"rfc822;{text}"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30))
def test_any_address_survives_its_encoding_in_ascii(text):
    written = original_text(f"utf-8;{text}")
    assert written.isascii()
    assert not set(written.partition(";")[2]) & set(" +=")
    assert read_original(written) == f"utf-8;{text}"
