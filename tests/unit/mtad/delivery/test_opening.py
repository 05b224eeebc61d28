"""What each reply leads to until a connection is open."""

from __future__ import annotations

import pytest

from mtad.delivery.client_events import Greeting, NotOpened, Opened, StartTls, Step
from mtad.delivery.hop_limits import NO_LIMITS
from mtad.delivery.opening import Command, Opening, Turn
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel, Transport

PLAIN = Greeting("mx.example.net")
MAY = Greeting("mx.example.net", tls=TlsLevel.MAY)
MUST = Greeting("mx.example.net", tls=TlsLevel.ENCRYPT)
LMTP = Greeting("mx.example.net", Transport.LMTP)

EHLO = Command(Step.EHLO, b"EHLO mx.example.net\r\n")
LHLO = Command(Step.EHLO, b"LHLO mx.example.net\r\n")
HELO = Command(Step.HELO, b"HELO mx.example.net\r\n")
STARTTLS = Command(Step.STARTTLS, b"STARTTLS\r\n")

YES, LATER, NO = Reply(250, "", ("peer",)), Reply(450, "", ("later",)), Reply(550, "", ("no",))
OFFERS_TLS = Reply(250, "", ("peer", "STARTTLS", "LIMITS RCPTMAX=2"))


@pytest.mark.parametrize(
    ("greeting", "step", "reply", "turn"),
    [
        (PLAIN, Step.BANNER, YES, EHLO),
        (LMTP, Step.BANNER, YES, LHLO),
        (PLAIN, Step.BANNER, LATER, NotOpened(LATER)),
        (PLAIN, Step.BANNER, NO, NotOpened(NO)),
        (PLAIN, Step.EHLO, OFFERS_TLS, Opened()),
        (MAY, Step.EHLO, OFFERS_TLS, STARTTLS),
        (MAY, Step.EHLO, YES, Opened()),
        (PLAIN, Step.EHLO, LATER, NotOpened(LATER)),
        (PLAIN, Step.EHLO, NO, HELO),
        (LMTP, Step.EHLO, NO, NotOpened(NO)),
        (MUST, Step.EHLO, NO, NotOpened(NO)),
        (PLAIN, Step.HELO, YES, Opened()),
        (PLAIN, Step.HELO, LATER, NotOpened(LATER)),
        (PLAIN, Step.HELO, NO, NotOpened(NO)),
        (MAY, Step.STARTTLS, YES, StartTls()),
        (MAY, Step.STARTTLS, LATER, Opened()),
        (MAY, Step.STARTTLS, NO, Opened()),
        (PLAIN, Step.BANNER, Reply(354, "", ("go on",)), None),
        (PLAIN, Step.MAIL, YES, None),
    ],
)
def test_what_a_reply_leads_to(greeting: Greeting, step: Step, reply: Reply, turn: Turn | None) -> None:
    assert Opening(greeting).answered(step, reply) == turn


@pytest.mark.parametrize(
    ("step", "reply"), [(Step.EHLO, YES), (Step.STARTTLS, LATER), (Step.STARTTLS, NO)], ids=["none", "later", "no"]
)
def test_without_tls_where_the_route_wants_it_the_refusal_is_ours(step: Step, reply: Reply) -> None:
    turn = Opening(MUST).answered(step, reply)
    assert isinstance(turn, NotOpened)
    assert (turn.is_ours, str(turn.reply)[:9]) == (True, "450 4.7.4")


def test_nothing_that_was_said_in_clear_text_counts_after_the_handshake() -> None:
    opening = Opening(MAY)
    opening.answered(Step.EHLO, OFFERS_TLS)
    assert (opening.limits.recipients_max, "STARTTLS" in opening.extensions) == (2, True)
    assert opening.tls_started() == EHLO
    assert (opening.is_tls, opening.limits, opening.extensions) == (True, NO_LIMITS, {})
    assert opening.answered(Step.EHLO, OFFERS_TLS) == Opened()


def test_helo_is_not_said_behind_tls() -> None:
    opening = Opening(MAY)
    opening.tls_started()
    assert opening.answered(Step.EHLO, NO) == NotOpened(NO)


@pytest.mark.parametrize("step", [Step.EHLO, Step.HELO])
@pytest.mark.parametrize(("own_name", "said", "is_us"), [("peer", "PEER hello", True), ("", "", False)])
def test_our_own_name_is_a_loop_and_no_name_is_nobodys(step: Step, own_name: str, said: str, *, is_us: bool) -> None:
    turn = Opening(Greeting("mx.example.net", own_name=own_name)).answered(step, Reply(250, "", (said,)))
    assert (isinstance(turn, NotOpened) and turn.is_us) == is_us
