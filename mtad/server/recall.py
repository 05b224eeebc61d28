"""A client that brings a message again: what is remembered is not done again (RFC 5321 §4.5.4.1, RFC 1047)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from mtad.mail.memory import Fingerprints, Memory, fingerprint_of
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply, local_fault
from mtad.off_loop import off_loop_if_long
from mtad.server.collaborators import Clock
from mtad.server.reply_table import settle
from mtad.server.step import Step, with_status
from mtad.server.transaction import Transaction
from mtad.spool.door import Memories
from mtad.telemetry.events import Events

_SETTLED = (Result.DELIVERED, Result.FAILED)
_GOES_ON = Step(Reply.of(451, "4.3.2", "This message is being delivered already, try again later"))


class Recall:
    """Knows messages again, for all sessions of a server."""

    def __init__(self, memories: Memories, events: Events, clock: Clock) -> None:
        self._memories = memories
        self._events = events
        self._clock = clock
        self.answered_count = 0  # messages of which something was remembered
        self.in_doubt_count = 0  # messages of which nobody told what became of them: they may arrive twice

    async def fingerprints(self, transaction: Transaction, content: bytes) -> Fingerprints:
        """Return what the message is known again by."""
        client, reverse_path = transaction.envelope.client, transaction.said_path
        return Fingerprints.by(client, await off_loop_if_long(len(content), fingerprint_of, reverse_path, content))

    async def known(
        self, transaction: Transaction, fingerprints: Fingerprints, among: Collection[str] | None = None
    ) -> Transaction | Step:
        """Return the transaction with what is remembered of its recipients, or the reply where nothing is left to do.

        among   those that are asked about now; None: all of them
        An attempt that goes on, here or on the other node, is waited for.
        """
        recalled = await self._recalled(fingerprints)
        if recalled is None:
            return Step(local_fault(transaction.queue_id))
        if not recalled:
            return transaction
        memories = [_of_this_client(memory, transaction, fingerprints) for memory in recalled]
        wall_ms = self._clock.wall_ms()
        everybody = {one.recipient.address for one in transaction.accepted}
        names = transaction.by_name(dict.fromkeys(everybody if among is None else everybody.intersection(among))).keys()
        known = _known(memories)
        unsettled = [(memory, names & memory.outcomes.keys() - known.keys()) for memory in memories]
        if any(some and memory.until_ms > wall_ms for memory, some in unsettled):
            return _GOES_ON
        self._note_doubt(transaction, [memory for memory, some in unsettled if some])
        told = {name: outcome for name, outcome in known.items() if name in names and outcome.result in _SETTLED}
        settled = _of_recipients(transaction, told)
        if not settled:
            return transaction
        self._note_answer(transaction, [memory for memory in memories if told.keys() & memory.outcomes.keys()], settled)
        is_owed = any(outcome.result not in _SETTLED for outcome in known.values())  # to those whom policy adds
        if is_owed or len(settled) < len(everybody):
            return transaction.recalling(settled)
        reply = settle(settled, transaction.wishes).reply
        return Step(local_fault(transaction.queue_id) if reply is None else with_status(transaction.heard(reply)))

    async def _recalled(self, fingerprints: Fingerprints) -> list[Memory] | None:
        """Return what is remembered, the oldest first, or None when that cannot be told now."""
        asked = [one for one in (fingerprints.of_anybody, fingerprints.of_client) if self._memories.has(one)]
        found: list[Memory] = []
        for memories in await asyncio.gather(*map(self._memories.recall, asked)) if asked else ():
            if memories is None:
                return None
            found.extend(memories)
        return sorted(found, key=lambda memory: memory.at_ms)

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
            of=" ".join(memory.queue_id for memory in memories),
            sender=transaction.envelope.reverse_path,
            recipients=len(settled),
        )


def _of_this_client(memory: Memory, transaction: Transaction, fingerprints: Fingerprints) -> Memory:
    """Return what is remembered; of another client's message not that of names by which this one's goes elsewhere."""
    elsewhere = transaction.led_elsewhere
    if not elsewhere or fingerprints.of_client in (memory.fingerprint, memory.brought):
        return memory
    return replace(memory, outcomes={name: one for name, one in memory.outcomes.items() if name not in elsewhere})


def _known(memories: Iterable[Memory]) -> dict[str, Outcome]:
    """Return what is known by the names that the client has for recipients; what was said last counts."""
    return {name: outcome for memory in memories for name, outcome in memory.outcomes.items() if outcome is not None}


def _of_recipients(transaction: Transaction, known: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Return what is known of recipients: of one that the client has several names for, when it is known by all.

    A failure is told, by whichever name it was: policy may have sent the names elsewhere when the message came before.
    """
    found: dict[str, Outcome] = {}
    names = transaction.by_name({one.recipient.address: one.recipient.address for one in transaction.accepted})
    unknown = {address for name, address in names.items() if name not in known}
    for name, address in names.items():
        if address not in unknown and (address not in found or found[address].result is Result.DELIVERED):
            found[address] = known[name]
    return found
