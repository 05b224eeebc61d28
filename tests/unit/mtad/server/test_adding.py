"""Who joins a transaction at the end of the data, as policy says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.envelope import Client, Envelope, Recipient
from mtad.mail.notes import Notes
from mtad.mail.route import Route
from mtad.mail.verdict import Addition, RetryPlan, Verdict
from mtad.server.adding import Joining, joining
from mtad.server.transaction import Accepted, Transaction
from tests.fakes.server_rooms import FakePolicy

BOB, CAROL, DAVE = "bob@example.net", "carol@example.net", "dave@example.net"
NOTES = Notes({"list": "yes"})
ASKED = RecipientRequest(Notify.FAILURE)
OF_BOB = RecipientRequest(Notify.FAILURE, f"rfc822;{BOB}")
HIDDEN = RecipientRequest(Notify.NEVER)
ARCHIVE, REDIRECTED = Addition(DAVE, HIDDEN), Addition(CAROL, is_redirected=True)


def transaction(*addresses: str) -> Transaction:
    accepted = [Accepted(Recipient(address, Route(), request=ASKED, notes=NOTES), RetryPlan()) for address in addresses]
    return Transaction(Envelope("ann@example.com", Client("192.0.2.1", 25)), FakePolicy(), tuple(accepted))


@pytest.mark.parametrize(
    ("ruling", "joins"),
    [
        (Verdict(), []),
        (Verdict(added=(ARCHIVE,)), [Joining(DAVE, HIDDEN, is_extra=True, notify=Notify.NEVER)]),
        (
            Verdict(is_discarded=True, added=(REDIRECTED, ARCHIVE)),
            [Joining(CAROL, OF_BOB, instead_of=(BOB,)), Joining(DAVE, HIDDEN, notify=Notify.NEVER)],
        ),
        (
            Verdict(is_discarded=True, added=(Addition(CAROL, HIDDEN, is_redirected=True),)),
            [Joining(CAROL, RecipientRequest(Notify.NEVER, OF_BOB.original), instead_of=(BOB,), notify=Notify.NEVER)],
        ),
    ],
    ids=["nobody", "a copy for one more", "others instead", "another instead, of whom nothing is told"],
)
def test_who_joins_by_a_ruling_on_all(ruling: Verdict, joins: list[Joining]) -> None:
    assert list(joining(transaction(BOB), ruling)) == joins


def test_a_time_of_its_own_comes_with_who_is_redirected_to() -> None:
    by = DeliverBy(1_800_000_000_000, Late.RETURN)
    redirected = Addition(CAROL, RecipientRequest(by=by), is_redirected=True)
    [carol] = joining(transaction(BOB), Verdict(is_discarded=True, added=(redirected,)))
    assert carol.request == replace(OF_BOB, by=by), "and all that the sender asks"


def test_who_joins_by_a_verdict_on_one_joins_with_what_is_noted_of_it() -> None:
    each = {BOB: Verdict(is_discarded=True, added=(REDIRECTED, ARCHIVE))}
    assert list(joining(transaction(BOB, CAROL), Verdict(each=each))) == [
        Joining(CAROL, OF_BOB, NOTES, instead_of=(BOB,)),
        Joining(DAVE, HIDDEN, NOTES, notify=Notify.NEVER),
    ]


def test_who_is_redirected_to_stands_for_all_and_asks_what_all_ask() -> None:
    ruling = Verdict(is_discarded=True, added=(REDIRECTED,))
    assert list(joining(transaction(BOB, CAROL, DAVE), ruling)) == [
        Joining(CAROL, ASKED, instead_of=(BOB, CAROL, DAVE))
    ]
