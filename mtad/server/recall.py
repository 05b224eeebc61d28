"""A client that brings a message again: what is remembered is not done again (RFC 5321 §4.5.4.1, RFC 1047)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from mtad.delivery.reply_table import settle
from mtad.mail.memory import Memory, fingerprint_of
from mtad.mail.outcome import Outcome
from mtad.mail.reply import Reply, local_fault
from mtad.server.collaborators import Clock
from mtad.server.step import Step, with_status
from mtad.server.transaction import Transaction
from mtad.spool.door import Memories
from mtad.telemetry.events import Events

HASH_INLINE_OCTETS_MAX = 256 * 1024  # more would hold up the other sessions

_GOES_ON = Step(Reply.of(451, "4.3.2", "This message is being delivered already, try again later"))


class Recall:
    """Knows messages again, for all sessions of a server."""

    def __init__(self, memories: Memories, events: Events, clock: Clock) -> None:
        self._memories = memories
        self._events = events
        self._clock = clock
        self.answered_count = 0  # messages of which something was remembered
        self.in_doubt_count = 0  # messages of which nobody told what became of them: they may arrive twice

    async def fingerprint(self, transaction: Transaction, content: bytes) -> bytes:
        """Return what the message is known again by."""
        reverse_path = transaction.envelope.reverse_path
        if len(content) <= HASH_INLINE_OCTETS_MAX:
            return fingerprint_of(reverse_path, content)
        return await asyncio.to_thread(fingerprint_of, reverse_path, content)

    async def known(
        self, transaction: Transaction, fingerprint: bytes, among: Collection[str] | None = None
    ) -> Transaction | Step:
        """Return the transaction with what is remembered of its recipients, or the reply where nothing is left to do.

        among   those that are asked about now; None: all of them
        An attempt that goes on, here or on the other node, is waited for.
        """
        if not self._memories.has(fingerprint):
            return transaction
        memories = await self._memories.recall(fingerprint)
        if memories is None:
            return Step(local_fault(transaction.queue_id))
        wall_ms = self._clock.wall_ms()
        everybody = {one.recipient.address for one in transaction.accepted}
        accepted = everybody if among is None else everybody.intersection(among)
        settled = {a: o for a, o in _settled(memories).items() if a in accepted}
        unsettled = [(memory, accepted & memory.outcomes.keys() - settled.keys()) for memory in memories]
        if any(addresses and memory.until_ms > wall_ms for memory, addresses in unsettled):
            return _GOES_ON
        self._note_doubt(transaction, [memory for memory, addresses in unsettled if addresses])
        if not settled:
            return transaction
        self._note_answer(transaction, memories, settled)
        if len(settled) < len(everybody):
            return transaction.recalling(settled)
        reply = settle(settled, {}).reply
        return Step(local_fault(transaction.queue_id) if reply is None else with_status(reply))

    def _note_doubt(self, transaction: Transaction, memories: list[Memory]) -> None:
        if memories:
            self.in_doubt_count += 1
            self._events.emit(
                "retry.in_doubt",
                level="warning",
                queue_id=transaction.queue_id,
                of=memories[-1].queue_id,
                sender=transaction.envelope.reverse_path,
            )

    def _note_answer(self, transaction: Transaction, memories: Iterable[Memory], settled: dict[str, Outcome]) -> None:
        self.answered_count += 1
        self._events.emit(
            "retry.answered",
            queue_id=transaction.queue_id,
            of=" ".join(memory.queue_id for memory in memories if settled.keys() & memory.outcomes.keys()),
            sender=transaction.envelope.reverse_path,
            recipients=len(settled),
        )


def _settled(memories: Iterable[Memory]) -> dict[str, Outcome]:
    """Return what is known of recipients; what was said last counts."""
    return {
        address: outcome for memory in memories for address, outcome in memory.outcomes.items() if outcome is not None
    }
