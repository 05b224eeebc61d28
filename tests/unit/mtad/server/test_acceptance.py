"""What acceptance does that no reply shows: what is signed, what is kept, what is committed first."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from mtad.delivery.client_events import Mail
from mtad.mail.dsn import Action, Notice
from mtad.mail.dsn_request import NO_REQUEST, Notify, RecipientRequest
from mtad.mail.envelope import Client, Envelope, Recipient
from mtad.mail.outcome import Outcome, Success
from mtad.mail.queue_id import QueueIdSource
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import Addition, RetryPlan, Signing, Verdict
from mtad.off_loop import ON_LOOP_OCTETS_MAX
from mtad.rehearsal.rooms import ScriptedThrough
from mtad.server.acceptance import Acceptance
from mtad.server.framing import ContentReader, OctetBudget
from mtad.server.limits import Limits
from mtad.server.transaction import Accepted, Transaction
from mtad.spool.door import Committed, Rank, Refusal, Refused
from mtad.spool.notification import reported, told
from mtad.telemetry.events import CollectedEvents
from tests.fakes.server_rooms import DELAYED, DELIVERED, FAILED, FakeRooms


@dataclass
class RememberingSigner:
    """Remembers what it signed, for whom and in which thread."""

    signed: list[tuple[bytes, str, int]] = field(default_factory=list)

    def sign(self, content: bytes, domain: str) -> bytes:
        self.signed.append((content, domain, threading.get_ident()))
        return b"DKIM-Signature: x\r\n"

    def sign_by(self, content: bytes, domain: str, selector: str, fields: Sequence[str] = ()) -> bytes | None:
        return None if selector == "none" else f"DKIM-Signature: {domain} {' '.join((selector, *fields))}\r\n".encode()


@dataclass
class Bench:
    """An acceptance with its fakes."""

    rooms: FakeRooms = field(default_factory=FakeRooms)
    signer: RememberingSigner = field(default_factory=RememberingSigner)
    events: CollectedEvents = field(default_factory=CollectedEvents)

    def __post_init__(self) -> None:
        rooms = replace(self.rooms.collaborators(), signer=self.signer, queue_ids=QueueIdSource(5))
        clock = self.rooms.time.clock()
        self.ids = rooms.queue_ids
        self.acceptance = Acceptance("mx.here.example", Limits(), rooms, OctetBudget(1 << 30), self.events, clock)

    async def accept(self, content: bytes, envelope: Envelope, **outcomes: Outcome | None) -> Reply:
        """Accept a message to recipients of those names; an outcome is what their next hop said at RCPT."""
        through = self.rooms.delivery.open(Mail(""), trace="")
        queue_id = self.ids.next(self.rooms.time.clock().wall_ms(), 1)
        transaction = Transaction(replace(envelope, queue_id=queue_id), self.rooms.policy, through=through)
        for name, outcome in outcomes.items():
            address = f"{name}@example.net"
            if outcome is None:
                await through.recipient(address, Route())
            transaction = transaction.with_recipient(
                Accepted(Recipient(address, Route(), queue_on_transient=outcome is not None), RetryPlan(), outcome)
            )
        reader = ContentReader(OctetBudget(1 << 30), size_octets_max=1 << 30, line_octets_max=1 << 30)
        assert reader.feed(content + b".\r\n") == b""
        hearing = self.acceptance.remembering.hearing(is_gone=False)
        return (await self.acceptance.accept(transaction, reader, hearing, session_id="s")).reply


STRANGER = Envelope("sender@client.example", Client("192.0.2.1", 25, "client.example", is_esmtp=True))
SUBMITTER = replace(STRANGER, is_submission=True)


@pytest.mark.parametrize(
    ("content", "domain"),
    [
        (b"From: a@author.example\r\n\r\n", "author.example"),
        (b"Subject: x\r\n\r\n", "client.example"),
    ],
)
async def test_signs_what_a_submitter_sends(content: bytes, domain: str) -> None:
    bench = Bench()
    assert (await bench.accept(content, SUBMITTER, one=None)).code == 250
    assert bench.signer.signed == [(content, domain, threading.get_ident())]
    (delivered,) = bench.rooms.delivery.contents
    assert delivered.startswith(b"Received: ")
    assert delivered.endswith(b" +0000\r\nDKIM-Signature: x\r\n" + content)


async def test_signs_for_itself_what_has_no_author_and_no_sender() -> None:
    bench = Bench()
    await bench.accept(b"\r\n", replace(SUBMITTER, reverse_path=""), one=None)
    assert bench.signer.signed[0][1] == "mx.here.example"


async def test_a_stranger_who_writes_as_an_author_of_ours_gets_no_signature() -> None:
    bench = Bench()
    await bench.accept(b"From: a@here.example\r\n\r\n", STRANGER, one=None)
    assert bench.signer.signed == []


async def test_signs_large_contents_elsewhere() -> None:
    bench = Bench()
    await bench.accept(b"x" * ON_LOOP_OCTETS_MAX + b"\r\n", SUBMITTER, one=None)
    assert bench.signer.signed[0][2] != threading.get_ident()


async def test_keeps_what_was_delayed_at_rcpt_with_that_attempt() -> None:
    bench = Bench()
    reply = await bench.accept(b"text\r\n", STRANGER, one=None, busy=DELAYED)
    assert reply.lines[0].endswith("(2 copies)")
    (message,) = bench.rooms.door.messages.values()
    assert set(message.recipients) == {"busy@example.net"}
    state = message.recipients["busy@example.net"]
    assert (state.rank, state.attempts[0].outcome, state.attempts[0].node) == (Rank.DEFERRED, DELAYED, 5)
    assert message.content == bench.rooms.delivery.contents[0]
    assert (message.is_submission, message.reverse_path) == (False, "sender@client.example")


async def test_bothers_no_next_hop_when_all_is_kept() -> None:
    bench = Bench()
    await bench.accept(b"text\r\n", STRANGER, busy=DELAYED)
    assert bench.rooms.delivery.opened[0].is_aborted
    assert bench.rooms.delivery.contents == []
    assert bench.acceptance.delivered_through_count == 0


async def test_commits_the_report_before_the_rest_in_one_change() -> None:
    bench = Bench()
    bench.rooms.delivery.at_end = {"none@example.net": FAILED, "busy@example.net": DELAYED}
    await bench.accept(b"text\r\n", SUBMITTER, one=None, none=None, busy=None)
    (change,) = bench.rooms.door.changes
    report, message = change.puts
    assert (report.dsn_of, report.reverse_path) == (message.queue_id, "")
    assert set(report.recipients) == {"sender@client.example"}
    assert report.content == b"none@example.net failed"
    assert set(message.recipients) == {"busy@example.net"}


@pytest.mark.parametrize("answer", [Committed(2), Refused(Refusal.FULL)])
async def test_says_that_a_report_is_queued_when_it_is(answer: Committed | Refused) -> None:
    bench = Bench()
    bench.rooms.door.answer = answer
    bench.rooms.delivery.at_end = {"none@example.net": FAILED, "busy@example.net": DELAYED}
    await bench.accept(b"text\r\n", SUBMITTER, one=None, none=None, busy=None)
    queued = {message.queue_id for message in bench.rooms.door.messages.values() if message.dsn_of}
    assert {fields["queue_id"] for fields in bench.events.named("dsn.queued")} == queued
    assert bool(queued) == isinstance(answer, Committed)


async def test_reports_to_a_verified_sender() -> None:
    bench = Bench()
    bench.rooms.delivery.at_end = {"none@example.net": FAILED}
    await bench.accept(b"text\r\n", replace(STRANGER, is_sender_verified=True), one=None, none=None)
    assert len(bench.rooms.door.messages) == 1
    assert bench.acceptance.delivered_through_count == 1


async def test_a_fault_of_the_queue_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    async def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(bench.rooms.door, "commit", fail)
    reply = await bench.accept(b"text\r\n", STRANGER, one=None, busy=DELAYED)
    assert (reply.code, reply.enhanced) == (451, "4.3.0")
    assert len(bench.events.named("session.fault")) == 1


async def test_a_refusal_stands_when_the_next_hop_cannot_be_told() -> None:
    bench = Bench()
    bench.rooms.policy.verdicts["data"] = Verdict(Reply.of(554, "5.7.1", "No"))
    original = bench.rooms.delivery.open

    def open_failing(mail: Mail, *, trace: str):  # type: ignore[no-untyped-def]
        through = original(mail, trace=trace)

        async def fail() -> None:
            raise RuntimeError("secret")

        through.abort = fail  # type: ignore[method-assign]
        return through

    bench.rooms.delivery.open = open_failing  # type: ignore[method-assign]
    assert (await bench.accept(b"text\r\n", STRANGER, one=None)).code == 554
    assert len(bench.events.named("session.fault")) == 1


async def test_a_fault_before_the_content_is_sent_leaves_no_next_hop_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.rooms.policy.verdicts["data"] = Verdict(added=(Addition(ADDED),))

    async def fail(*_arguments: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(ScriptedThrough, "add", fail)
    reply = await bench.accept(b"text\r\n", STRANGER, one=None)
    assert (reply.code, reply.enhanced) == (451, "4.3.0")
    (through,) = bench.rooms.delivery.opened
    assert (through.is_aborted, through.content) == (True, None)


async def test_delivered_outcomes_of_others_are_not_ours() -> None:
    """What the next hops say of a recipient that was refused at RCPT does not change the reply."""
    bench = Bench()
    bench.rooms.delivery.at_end = {"refused@example.net": FAILED, "one@example.net": DELIVERED}
    through_recipients = ["refused@example.net"]
    original = bench.rooms.delivery.open

    def open_with_refused(mail: Mail, *, trace: str):  # type: ignore[no-untyped-def]
        through = original(mail, trace=trace)
        through.recipients.extend(through_recipients)
        return through

    bench.rooms.delivery.open = open_with_refused  # type: ignore[method-assign]
    reply = await bench.accept(b"text\r\n", SUBMITTER, one=None)
    assert reply.lines[0].startswith("Ok: delivered")
    assert bench.rooms.door.changes == []


@pytest.mark.parametrize("octets", [0, ON_LOOP_OCTETS_MAX])
@pytest.mark.parametrize("envelope", [STRANGER, SUBMITTER])
async def test_policy_says_by_which_key_a_message_is_signed(envelope: Envelope, octets: int) -> None:
    bench = Bench()
    content = b"From: a@author.example\r\n\r\n" + b"x" * octets + b"\r\n"
    for selector, signed in (("s2", 1), ("none", 0)):
        bench.rooms.policy.verdicts["data"] = Verdict(signing=Signing("other.example", selector))
        assert (await bench.accept(content, envelope, one=None)).code == 250
        assert bench.rooms.delivery.contents[-1].count(b"DKIM-Signature: other.example s2\r\n") == signed
    assert bench.signer.signed == []
    assert [(one["domain"], one["selector"]) for one in bench.events.named("dkim.no_key")] == [
        ("other.example", "none")
    ]


ADDED = "added@example.net"
FAILURES = RecipientRequest(Notify.FAILURE)


@pytest.mark.parametrize(
    ("envelope", "addition", "asked"),
    [
        (STRANGER, Addition(ADDED), Notify.NEVER),
        (STRANGER, Addition(ADDED, FAILURES), Notify.FAILURE),
        (STRANGER, Addition(ADDED, is_redirected=True), Notify.NEVER),
        (SUBMITTER, Addition(ADDED), Notify.UNSAID),
        (replace(STRANGER, is_sender_verified=True), Addition(ADDED), Notify.UNSAID),
    ],
    ids=["a stranger", "policy asks", "a copy to another", "a submitter", "a verified sender"],
)
async def test_who_may_be_forged_hears_nothing_of_whom_policy_has_added(
    envelope: Envelope, addition: Addition, asked: Notify
) -> None:
    bench = Bench()
    bench.rooms.policy.verdicts["data"] = Verdict(added=(addition,))
    bench.rooms.delivery.at_end = {ADDED: DELAYED}
    assert (await bench.accept(b"text\r\n", envelope, one=None)).code == 250
    (message,) = bench.rooms.door.messages.values()
    assert set(message.recipients) == {ADDED}
    assert message.requests.get(ADDED, NO_REQUEST).notify == asked
    failure = Notice(ADDED, Action.FAILED, FAILED)
    assert bool(told(reported(message), [failure], bench.events, is_queued=True)) == (asked is not Notify.NEVER)
    assert bool(bench.events.named("dsn.withheld")) == (asked is Notify.NEVER)


@pytest.mark.parametrize("outcome", [FAILED, replace(DELIVERED, success=Success.RELAYED)])
async def test_who_is_redirected_to_itself_is_reported_once(outcome: Outcome) -> None:
    bench, one = Bench(), "one@example.net"
    back = Verdict(is_discarded=True, added=(Addition(one, RecipientRequest(Notify.SUCCESS | FAILURES.notify)),))
    bench.rooms.policy.verdicts["data"] = Verdict(each={one: back})
    bench.rooms.delivery.at_end = {one: outcome}
    assert (await bench.accept(b"text\r\n", SUBMITTER, one=None, other=None)).code == 250
    (report,) = bench.rooms.door.messages.values()
    assert report.content.count(b"one@example.net") == 1
