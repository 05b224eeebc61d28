"""Who gets the mail by one RCPT, as policy says."""

from __future__ import annotations

import pytest

from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.envelope import Recipient
from mtad.mail.notes import Noted, Notes
from mtad.mail.route import Route
from mtad.mail.verdict import Addition, Verdict
from mtad.server.adding import Joining
from mtad.server.envelope_verbs import Coming, coming_of
from mtad.server.parameters import RcptArgument

BOB, CAROL, DAVE = "bob@example.net", "carol@example.net", "dave@example.net"
ASKED = RecipientRequest(Notify.FAILURE)
OF_BOB = RecipientRequest(Notify.FAILURE, f"rfc822;{BOB}")
SAID = RcptArgument(BOB, ASKED)
HIDDEN = RecipientRequest(Notify.NEVER)
ARCHIVE = Addition(DAVE, HIDDEN, is_hidden=True)
OF_ARCHIVE = Joining(DAVE, HIDDEN, is_extra=True, notify=Notify.NEVER, is_hidden=True)


@pytest.mark.parametrize(
    ("verdict", "coming"),
    [
        (Verdict(), Coming(Recipient(BOB, Route(), request=ASKED), [])),
        (Verdict(recipient=CAROL), Coming(Recipient(CAROL, Route(), request=OF_BOB), [])),
        (
            Verdict(added=(ARCHIVE,)),
            Coming(Recipient(BOB, Route(), request=ASKED), [OF_ARCHIVE]),
        ),
        (Verdict(is_discarded=True, added=(ARCHIVE,)), Coming(None, [OF_ARCHIVE])),
        (
            Verdict(is_discarded=True, added=(ARCHIVE, Addition(CAROL, is_redirected=True))),
            Coming(
                Recipient(CAROL, Route(), request=OF_BOB),
                [OF_ARCHIVE, Joining(CAROL, OF_BOB)],
            ),
        ),
    ],
    ids=["as named", "another name", "a copy for one more", "only who is hidden", "others instead"],
)
def test_who_comes(verdict: Verdict, coming: Coming) -> None:
    assert coming_of(SAID, verdict) == coming


def test_nobody_comes_who_is_dropped() -> None:
    assert coming_of(SAID, Verdict(is_discarded=True)).recipient is None


def test_what_is_noted_of_who_was_named_goes_with_all_who_come() -> None:
    notes = Notes({"list": "yes"})
    coming = coming_of(SAID, Verdict(recipient=CAROL, added=(ARCHIVE,), noted=Noted(recipients={BOB: notes})))
    assert coming.recipient is not None
    assert [coming.recipient.notes, coming.added[0].notes] == [notes, notes]
