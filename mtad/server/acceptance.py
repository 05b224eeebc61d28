"""From the end of the data to the final reply: checked, signed, delivered through, the rest kept (RFC 5321 §4.4, §6.1).

Nothing is answered 250 before every recipient's next hop has taken responsibility or the queue has committed the rest.
What was begun is brought to its end, whether the client still waits or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from mtad.mail.dsn import Action, Notice, notice_of
from mtad.mail.envelope import domain_of
from mtad.mail.memory import Fingerprints, Memory
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import node_of
from mtad.mail.reply import Reply, local_fault
from mtad.mail.verdict import GO_ON, Signing, Verdict
from mtad.off_loop import off_loop_if_long
from mtad.server.adding import asked_for, joined, joining, owed_by
from mtad.server.answering import Hears, answer_all, answer_each
from mtad.server.background import Background
from mtad.server.collaborators import Clock, Collaborators
from mtad.server.fault import emit_fault
from mtad.server.framing import OctetBudget, Spilt, Spoilt
from mtad.server.hearing import Hearing, Remembering
from mtad.server.keeping import due_in_time, requests_of, state_at_commit
from mtad.server.limits import Limits
from mtad.server.recall import Recall
from mtad.server.received import author_domain, received_count, received_field
from mtad.server.reply_table import (
    Settlement,
    reply_after_commit,
    reply_after_refusal,
    settle,
    settle_apart,
)
from mtad.server.reports import Reports
from mtad.server.step import Step, Then, with_status
from mtad.server.submission import missing_fields
from mtad.server.transaction import Accepted, Transaction
from mtad.spool.door import Changes, Committed, QueuedMessage, RecipientState, Refused
from mtad.spool.notification import emit_queued
from mtad.telemetry.events import Events

COMMIT_SECONDS = 10.0  # after the deadline of the delivery: then the queue has answered, or this process has ended

SPOILT_REPLIES: Mapping[Spoilt, Reply] = {
    Spoilt.TOO_LARGE: Reply.of(552, "5.3.4", "Message too large"),
    Spoilt.NO_ROOM: Reply.of(452, "4.3.1", "Too much mail in hand, try again later"),
    Spoilt.BARE: Reply.of(550, "5.5.2", "Message contains a CR or LF that is no line end"),
    Spoilt.NUL: Reply.of(550, "5.6.0", "Message contains a NUL octet"),
    Spoilt.LINE_TOO_LONG: Reply.of(550, "5.6.0", "Message contains a line that is too long"),
}
_LOOP = Step(Reply.of(554, "5.4.6", "Too many Received fields: this message is in a loop"))


def heard(verdict: Verdict, transaction: Transaction) -> Verdict:
    """Return the verdict as the client can hear it; of who has the message already nothing is said.

    Where it hears one reply, a recipient that is refused for now has the message come again for all: nobody else has it
    yet, and what was accepted could only be bounced.
    """
    if not verdict.each:
        return verdict
    each = {a: owed_by(one, a) if a in transaction.recalled else one for a, one in verdict.each.items()}
    verdict = replace(verdict, each={a: one for a, one in each.items() if one is not GO_ON})
    if transaction.hears is not Hears.ONE or verdict.reply is not None:
        return verdict
    for_now = next((one for one in verdict.each.values() if one.reply is not None and one.reply.is_transient), None)
    return verdict if for_now is None else replace(for_now, delay_seconds=verdict.delay_seconds)


@dataclass(frozen=True, slots=True)
class Attempted:
    """What is known of each recipient when the client is to be answered; None is an attempt not made or not ended."""

    outcomes: Mapping[str, Outcome | None]
    pending: Mapping[str, asyncio.Future[Outcome]] = field(default_factory=dict)


class Reader(Protocol):
    """Who has read a content: to the end of the data, or chunk by chunk."""

    @property
    def octets_count(self) -> int:
        """How many octets the client has sent."""
        ...

    @property
    def spilt(self) -> Spilt | None:
        """Where the content lies when it is not in memory."""
        ...

    def finish(self) -> bytes | Spoilt:
        """Return the content, or why it is refused."""
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that goes on: its content with our fields on top, and what the content was known again by."""

    transaction: Transaction
    content: bytes
    fingerprints: Fingerprints


class Acceptance:
    """Accepts messages for all sessions of a server, or refuses them."""

    def __init__(
        self,
        hostname: str,
        limits: Limits,
        rooms: Collaborators,
        budget: OctetBudget,
        events: Events,
        clock: Clock,
    ) -> None:
        self._hostname = hostname
        self._limits = limits
        self._rooms = rooms
        self._events = events
        self._clock = clock
        self._reports = Reports(rooms, events, clock)
        self.background = Background(rooms, budget, events, clock)
        self.remembering = Remembering(rooms.memories, events)
        self.recall = Recall(rooms.memories, events, clock)
        self.delivered_through_count = 0

    async def accept(self, transaction: Transaction, reader: Reader, hearing: Hearing, *, session_id: str) -> Step:
        """Take what the reader has read to its end, and return the final reply."""
        ready: Ready | Step
        try:
            ready = await self._check(transaction, reader)
        except Exception:  # noqa: BLE001 - boundary of a message: our fault is never the client's, which comes again
            ready = self._fault(transaction, session_id, "check")
        try:
            step = await self._end(transaction, ready, hearing)
        except Exception:  # noqa: BLE001 - the same; what next hops are known to have taken is remembered
            fault = self._fault(transaction, session_id, "deliver")
            step = ready if isinstance(ready, Step) else fault
        is_awaited = any(reply.is_transient for reply in step.replies)
        is_awaited = is_awaited and isinstance(ready, Ready) and ready.transaction.is_led
        hearing.settle(is_accepted=step.reply.is_positive, is_awaited=is_awaited)
        envelope = transaction.envelope
        self._events.emit(
            "mail.accepted" if step.reply.is_positive else "mail.refused",
            session=session_id,
            queue_id=transaction.queue_id,
            client=envelope.client.address,
            sender=envelope.reverse_path,
            recipients=transaction.recipients_count,
            octets=reader.octets_count,
            reply=str(step.reply),
        )
        return step if step.said else answer_all(step, transaction.hears, transaction.named)

    async def _end(self, transaction: Transaction, ready: Ready | Step, hearing: Hearing) -> Step:
        if isinstance(ready, Step):
            await transaction.abort()
            return ready
        step = await self._deliver(ready, hearing)
        if ready.transaction.seen and all(reply.is_positive for reply in step.replies):
            await transaction.policy.remember(ready.transaction.seen)
        return step

    def _fault(self, transaction: Transaction, session_id: str, stage: str) -> Step:
        """Log the exception that is being handled, and return the reply that says nothing of it."""
        emit_fault(self._events, session=session_id, trace=transaction.queue_id, stage=stage)
        return Step(local_fault(transaction.queue_id))

    # Before anything is delivered.

    async def _check(self, transaction: Transaction, reader: Reader) -> Ready | Step:
        """Return the message as it goes on, or the final reply where it goes no further."""
        content = await _read(reader)
        if isinstance(content, Spoilt):
            return Step(SPOILT_REPLIES[content])
        if received_count(content) >= self._limits.content.received_fields_max:
            return _LOOP
        fingerprints = await self.recall.fingerprints(transaction, content)
        known = await self.recall.known(transaction, fingerprints)
        if isinstance(known, Step):
            return known
        ruling = await self._rule(known, content, fingerprints)
        if isinstance(ruling, Step):
            return ruling
        ruled, content = ruling
        envelope = ruled.envelope
        queue_id, wall = transaction.queue_id, self._clock.wall()
        if envelope.client.identity:
            content = missing_fields(content, hostname=self._hostname, queue_id=queue_id, wall=wall) + content
        received = received_field(envelope, hostname=self._hostname, queue_id=queue_id, wall=wall)
        signature = await self._signature(ruled, content)
        return Ready(ruled, b"".join((received, signature, content)), fingerprints)

    async def _rule(
        self, transaction: Transaction, content: bytes, fingerprints: Fingerprints
    ) -> tuple[Transaction, bytes] | Step:
        """Ask policy; return transaction and content as they go on, or the final reply where they go no further."""
        verdict = heard(await transaction.policy.data(transaction.envelope, content), transaction)
        if verdict.delay_seconds:
            await self._clock.sleep(verdict.delay_seconds)
        if verdict.reply is not None:
            self._tell_refusal(transaction, verdict.reply, verdict.log)
            return Step(with_status(verdict.reply), Then.CLOSE if verdict.is_disconnect else Then.COMMAND)
        for recipient, one in verdict.each.items():
            if one.reply is not None:
                self._tell_refusal(transaction, one.reply, one.log, recipient)
        ruled = replace(
            transaction.ruled(verdict),
            signing=verdict.signing,
            seen=verdict.seen,
            priority=verdict.priority,
            queue_name=verdict.queue_name,
        )
        extended = await self._extend(ruled, verdict, transaction, fingerprints)
        if isinstance(extended, Step):
            return extended
        if verdict.queue_at_once:
            extended = extended.queued(verdict.held, verdict.queue_seconds)
            self._events.emit("mail.kept", queue_id=transaction.queue_id, held=verdict.held)
        if not extended.accepted:
            if verdict.seen:
                await transaction.policy.remember(verdict.seen)
            return Step(transaction.dropped_reply)
        return extended, content if verdict.content is None else verdict.content

    async def _extend(
        self, ruled: Transaction, verdict: Verdict, before: Transaction, fingerprints: Fingerprints
    ) -> Transaction | Step:
        """Return the transaction with those that policy adds, and what is remembered of them."""
        coming = tuple(joining(before, verdict))
        if verdict.is_discarded:
            ruled = ruled.emptied(verdict)
        if not coming:
            return await self.recall.led(ruled, ruled, (), fingerprints)
        answered = {name for one in coming for name in one.instead_of}
        ruled = ruled.unnaming(frozenset(ruled.dropped) - answered)
        joint = await joined(ruled, coming, self._events, is_queued=verdict.queue_at_once)
        if verdict.is_discarded and joint.named.count("") > ruled.named.count(""):  # who was to get it is dropped, too
            joint = replace(joint, is_dropped=True)
        addresses = [joint.accepted_before(one.address) or one.address for one in coming]
        return await self.recall.led(ruled, joint, addresses, fingerprints)

    def _tell_refusal(self, transaction: Transaction, reply: Reply, why: str, recipient: str = "") -> None:
        of = {"recipient": recipient} if recipient else {}
        self._events.emit(
            "policy.refused", "info", queue_id=transaction.queue_id, stage="data", **of, reply=str(reply), why=why
        )

    async def _signature(self, transaction: Transaction, content: bytes) -> bytes:
        """Return the DKIM-Signature of what our own clients send; b'' for a stranger's mail.

        The key is the author's domain's where we have it; otherwise the signature speaks for our own domain. A stranger
        may write any author: what we signed of his would pass for ours (RFC 6376 §1.2, §6.3).
        """
        envelope, signings = transaction.envelope, transaction.signings
        if signings:
            return b"".join([await self._signature_by(transaction, content, signing) for signing in signings])
        if not (envelope.is_submission or envelope.is_trusted):
            return b""
        domain = author_domain(content) or domain_of(envelope.reverse_path) or self._hostname
        return await off_loop_if_long(len(content), self._rooms.signer.sign, content, domain)

    async def _signature_by(self, transaction: Transaction, content: bytes, signing: Signing) -> bytes:
        """Return the signature that policy wants, whoever sent the mail; b'' where we have no such key."""
        field = await off_loop_if_long(
            len(content), self._rooms.signer.sign_by, content, signing.domain, signing.selector, signing.fields
        )
        if field is None:
            of = {"domain": signing.domain, "selector": signing.selector}
            self._events.emit("dkim.no_key", "warning", queue_id=transaction.queue_id, **of)
        return field or b""

    # Delivery, and what is left.

    async def _deliver(self, ready: Ready, hearing: Hearing) -> Step:
        transaction, content = ready.transaction, ready.content
        hearing.begin(self._memory(ready), transaction.by_every_name)
        attempted = await self._attempt(transaction, content)
        retries = {one.recipient.address: one.retry for one in transaction.accepted}
        news = {a: o for a, o in attempted.outcomes.items() if o is not None and a not in transaction.recalled}
        hearing.take({a: o for a, o in news.items() if o.result is Result.DELIVERED})
        settlement = _settle(transaction, attempted)
        notices = _notices(transaction, news) if settlement.is_accepting else ()
        if settlement.reply is not None and not settlement.reply.is_positive and attempted.pending:
            hearing.wait_for(attempted.pending)  # of those whom policy has added
            self.background.record(self._message(transaction, content, attempted, ()), attempted.pending, retries)
        if settlement.reply is not None and not notices:
            self.delivered_through_count += settlement.reply.is_positive
            return _answer(transaction, settlement, settlement.reply)
        message = self._message(transaction, content, attempted, settlement.keep)
        failures = tuple(one for one in notices if one.action is Action.FAILED)
        owed = self._reports.on(message, failures, is_queued=False)
        successes = tuple(one for one in notices if one.action is not Action.FAILED)
        wanted = self._reports.on(message, successes, is_queued=False)
        puts = (*owed, *wanted, *((message,) if settlement.keep else ()))
        answer = await self._rooms.door.commit(Changes(puts=puts), is_accepting=True) if puts else None
        if isinstance(answer, Refused):
            message = replace(message, recipients={})
        else:
            emit_queued((*owed, *wanted), self._events)
        self.background.record(message, attempted.pending, retries)
        if isinstance(answer, Refused):
            is_refusal = bool(
                settlement.keep or owed
            )  # reports on successes alone are no reason to refuse what arrived
            if wanted and (settlement.each or not is_refusal):
                self._events.emit("dsn.lost", level="error", queue_id=transaction.queue_id, why=answer.why.value)
            if is_refusal:
                hearing.wait_for(attempted.pending)
                refusal = reply_after_refusal(answer.why, transaction.queue_id)
                is_for_all = bool(owed) or not set(settlement.keep) <= transaction.answered
                return _answer(transaction, settlement, refusal, is_for_all=is_for_all)
        ruled = {one.recipient.address for one in transaction.accepted if one.is_ruled}  # may not be for another client
        hearing.take({a: news[a] for a in settlement.failed if a in news and a not in ruled})
        if settlement.reply is not None:
            self.delivered_through_count += 1
            return _answer(transaction, settlement, settlement.reply)
        kept = answer if isinstance(answer, Committed) else Committed(0)
        reply = reply_after_commit(kept.copies, transaction.queue_id, is_received=kept.is_received)
        hearing.take(dict.fromkeys(settlement.keep, Outcome(Result.DELIVERED, reply, self._hostname)))
        return _answer(transaction, settlement, reply)

    def _memory(self, ready: Ready) -> Memory:
        """Return what is to be remembered of a message whose attempt begins."""
        transaction, now_ms = ready.transaction, self._clock.wall_ms()
        seconds = self._limits.seconds.delivery_deadline + COMMIT_SECONDS
        new = {one.recipient.address for one in transaction.accepted} - transaction.recalled
        names = transaction.by_name(dict.fromkeys(new))
        named = [name for name, address in transaction.names.items() if address not in transaction.recalled]
        fingerprints = ready.fingerprints
        is_of_client = transaction.held or not transaction.led_elsewhere.isdisjoint(names)
        return Memory(
            transaction.queue_id,
            fingerprints.of_client if is_of_client else fingerprints.of_anybody,
            now_ms,
            {**dict.fromkeys(named), **names},
            until_ms=now_ms + int(seconds * 1000),
            brought=fingerprints.of_client,
        )

    async def _attempt(self, transaction: Transaction, content: bytes) -> Attempted:
        """Send the content to the next hops of those recipients that are to be tried now."""
        outcomes = {one.recipient.address: one.outcome for one in transaction.accepted}
        untried = [one.recipient for one in transaction.accepted if one.outcome is None]
        tried = [one for one in untried if not one.queue_at_once]
        if not tried:
            if transaction.through is not None:
                await transaction.through.abort()
            return Attempted(outcomes)
        try:
            if transaction.through is not None and transaction.left_out:
                await transaction.through.leave_out(transaction.left_out)
            through = await asked_for(transaction, tried, self._rooms.delivery)
        except BaseException:  # what is not finished is aborted: a next hop would wait for it, and its connection
            if transaction.through is not None:
                await transaction.through.abort()
            raise
        finished = await through.finish(content, self._limits.seconds.delivery_deadline)
        for address, outcome in finished.outcomes.items():
            if address in outcomes:  # those that were refused at RCPT are not the client's any more
                outcomes[address] = outcome
        return Attempted(outcomes, {a: future for a, future in finished.pending.items() if a in outcomes})

    def _message(
        self, transaction: Transaction, content: bytes, attempted: Attempted, keep: tuple[str, ...]
    ) -> QueuedMessage:
        now_ms, node = self._clock.wall_ms(), node_of(transaction.queue_id)
        envelope = transaction.envelope
        kept = frozenset(keep)

        def state(one: Accepted) -> RecipientState:
            address = one.recipient.address
            is_pending = address in attempted.pending
            begun = state_at_commit(one, attempted.outcomes[address], is_pending=is_pending, now_ms=now_ms, node=node)
            deliver_by = one.recipient.request.time_in(envelope.request)
            return due_in_time(begun, deliver_by, now_ms, is_put_off=bool(one.seconds))

        return QueuedMessage(
            queue_id=transaction.queue_id,
            reverse_path=envelope.reverse_path,
            arrival_ms=now_ms,
            client=envelope.client,
            content=content,
            recipients={
                one.recipient.address: state(one) for one in transaction.accepted if one.recipient.address in kept
            },
            is_8bit=envelope.is_8bit,
            is_utf8=envelope.is_utf8,
            is_binary=envelope.is_binary,
            is_sender_verified=envelope.is_sender_verified,
            is_verp=envelope.is_verp,
            is_submission=envelope.is_submission,
            request=envelope.request,
            requests=requests_of(transaction),
            noted=envelope.noted,
            held=transaction.held,
            priority=_priority(transaction, kept),
            queue_name=_queue_name(transaction, kept),
        )


def _priority(transaction: Transaction, kept: Collection[str]) -> int:
    """Return the priority of a message in the queue, with those of its recipients that are kept."""
    if transaction.priority is not None:
        return transaction.priority
    return max((one.priority for one in transaction.accepted if one.recipient.address in kept), default=0)


def _queue_name(transaction: Transaction, kept: Collection[str]) -> str:
    """Return the name of the queue in which the recipients that are kept wait."""
    names = (one.queue_name for one in transaction.accepted if one.recipient.address in kept)
    return transaction.queue_name or next(filter(None, names), "")


def _settle(transaction: Transaction, attempted: Attempted) -> Settlement:
    outcomes, wishes, is_submission = attempted.outcomes, transaction.wishes, transaction.envelope.is_submission
    if transaction.hears is not Hears.ONE:
        return settle_apart(outcomes, wishes, is_submission=is_submission)
    return settle(outcomes, wishes, is_submission=is_submission, is_dropped=transaction.is_dropped_for_some)


def _answer(transaction: Transaction, settlement: Settlement, reply: Reply, *, is_for_all: bool = False) -> Step:
    """Return what the client hears. `reply` is for all, or where each has its own for those that were to be kept.

    is_for_all   it is instead of every 250: nobody would hear it of those whom policy adds
    """
    if transaction.hears is Hears.ONE:
        return Step(with_status(transaction.heard(reply)))
    dropped = dict.fromkeys(("", *transaction.dropped), transaction.dropped_reply)
    replies = {**dropped, **dict.fromkeys(settlement.keep, reply)}
    replies = {**replies, **settlement.each}
    if is_for_all:
        replies = {address: reply if one.is_positive else one for address, one in replies.items()}
    return answer_each(replies, transaction.hears, transaction.named)


def _notices(transaction: Transaction, outcomes: Mapping[str, Outcome]) -> tuple[Notice, ...]:
    """Return what the sender may have to be told though it hears 250: failures, and successes that it asked for.

    A failure that its client hears by itself is the client's to tell.
    """
    found, answered = [], transaction.answered
    for recipient in transaction.envelope.recipients:
        outcome = outcomes.get(recipient.address)
        is_heard = transaction.hears is not Hears.ONE and recipient.address in answered
        if outcome is None or (outcome.result is Result.FAILED and is_heard):
            continue
        notice = notice_of(recipient.address, outcome, recipient.request)
        if notice is not None:
            found.append(notice)
    return tuple(found)


async def _read(reader: Reader) -> bytes | Spoilt:
    """Return the content, or why it is refused; one that is not in memory waits for its turn to be."""
    if reader.spilt is None:
        return reader.finish()
    if not await reader.spilt.turn():
        return Spoilt.NO_ROOM
    return await asyncio.to_thread(reader.finish)
