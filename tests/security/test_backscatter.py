"""Who is told of a failure: those who surely sent the mail, and nobody who may have been made up (RFC 3834)."""

from __future__ import annotations

import itertools

import pytest

from mtad.mail.dsn import Action, Notice, Reported
from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueIdSource
from mtad.mail.reply import Reply
from mtad.mail.verdict import Verdict
from tests.dialog.conftest import Build
from tests.dialog.wires import greeted, reply, say
from tests.fakes.server_rooms import FAILED, FakeRooms

QUEUE_ID = QueueIdSource(1).next(1, 1)
RECIPIENT = "u@b.test"
OUTCOMES = {
    Action.FAILED: Outcome(Result.FAILED, Reply.of(550, "5.1.1", "No such user")),
    Action.DELAYED: Outcome(Result.DELAYED, Reply.of(450, "4.2.0", "Later")),
    Action.RELAYED: Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok")),
    Action.DELIVERED: Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok")),
}
ASKED = {
    Notify.UNSAID: {Action.FAILED, Action.DELAYED},
    Notify.NEVER: set(),
    Notify.SUCCESS: {Action.RELAYED, Action.DELIVERED},
    Notify.FAILURE: {Action.FAILED},
    Notify.DELAY: {Action.DELAYED},
}
CASES = list(itertools.product(("", "x@a.test"), (True, False), (True, False), Action, ASKED))


@pytest.mark.parametrize(("reverse_path", "is_known", "is_queued", "action", "notify"), CASES)
def test_who_is_told(reverse_path: str, is_known: bool, is_queued: bool, action: Action, notify: Notify) -> None:
    """The whole table. What we have taken over and lose is told of as RFC 5321 §6.1 has it; nothing else is."""
    requests = {RECIPIENT: RecipientRequest(notify)}
    of = Reported(QUEUE_ID, reverse_path, 1, is_sender_known=is_known, requests=requests)
    is_told = not of.why_untold(Notice(RECIPIENT, action, OUTCOMES[action]), is_queued=is_queued)
    is_owed = is_known or (is_queued and action is Action.FAILED)
    assert is_told == (bool(reverse_path) and is_owed and action in ASKED[notify])


@pytest.mark.parametrize(
    ("sender", "is_submitter", "reports_count"),
    [("victim@innocent.example", False, 0), ("", False, 0), ("", True, 0), ("alice@here.example", True, 1)],
)
@pytest.mark.parametrize("chunks", [False, True], ids=["DATA", "BDAT"])
async def test_of_what_is_refused_behind_a_250_a_stranger_hears_nothing(
    sender: str, is_submitter: bool, reports_count: int, chunks: bool, build: Build
) -> None:
    rooms = FakeRooms()
    rooms.policy.verdicts["connect"] = Verdict(is_trusted=is_submitter)
    rooms.delivery.at_end["late@example.net"] = FAILED
    house = await build(rooms)
    wire = await greeted(house.wire())
    await say(wire, f"MAIL FROM:<{sender}>", "RCPT TO:<one@example.net>", "RCPT TO:<late@example.net>")
    if chunks:
        await wire.send(b"BDAT 4 LAST\r\ntext")
    else:
        await say(wire, "DATA")
        await wire.send(b"text\r\n.\r\n")
    assert (await reply(wire))[0].startswith("250 ")
    assert len(rooms.door.messages) == reports_count
    assert len(house.events.named("dsn.withheld")) == 1 - reports_count
    assert all(report.reverse_path == "" for report in rooms.door.messages.values()), "a report is never reported on"


async def test_what_all_next_hops_refuse_is_refused_and_nobody_is_told(build: Build) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end["late@example.net"] = FAILED
    house = await build(rooms)
    wire = await greeted(house.wire())
    await say(wire, "MAIL FROM:<victim@innocent.example>", "RCPT TO:<late@example.net>", "DATA")
    await wire.send(b"text\r\n.\r\n")
    assert (await reply(wire))[0].startswith("550 5.1.1")
    assert rooms.door.messages == {}
