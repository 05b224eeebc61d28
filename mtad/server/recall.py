"""A client that brings a message again: what is remembered is not done again (RFC 5321 §4.5.4.1, RFC 1047)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from mtad.mail.memory import SETTLED, Fingerprints, Memory, fingerprint_of, is_of_recipient, name_of_recipient
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply, local_fault
from mtad.off_loop import off_loop_if_long
from mtad.server.collaborators import Clock
from mtad.server.reply_table import settle
from mtad.server.step import Step, with_status
from mtad.server.transaction import Transaction
from mtad.spool.door import Memories
from mtad.telemetry.events import Events

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

        among   those that have joined it, when the others were asked about before; None: nobody has
        An attempt that goes on, here or on the other node, is waited for. What names none of those that the client
        named before is another message, whoever else policy would lead it to.
        """
        recalled = await self._recalled(fingerprints)
        if recalled is None:
            return Step(local_fault(transaction.queue_id))
        memories = [_of_this_client(memory, transaction, fingerprints) for memory in recalled]
        if all(transaction.names.keys().isdisjoint(memory.outcomes) for memory in memories):
            return transaction
        wall_ms = self._clock.wall_ms()
        everybody = {one.recipient.address for one in transaction.accepted}
        asked = everybody if among is None else everybody.intersection(among)
        names = transaction.by_name(dict.fromkeys(asked)).keys()
        known = _known(memory.outcomes for memory in memories)
        unsettled = [(memory, names & memory.outcomes.keys() - known.keys()) for memory in memories]
        if any(some and memory.until_ms > wall_ms for memory, some in unsettled):
            return _GOES_ON
        self._note_doubt(transaction, [memory for memory, some in unsettled if some])
        of_client = (one for one in memories if fingerprints.of_client in (one.fingerprint, one.brought))
        reached = _known(one.reached for one in of_client)
        settled = {a: one for a, one in _of_recipients(transaction, known, reached).items() if a in asked}
        if not settled:
            return transaction
        told = transaction.by_every_name(settled).keys()
        self._note_answer(transaction, [memory for memory in memories if _tells(memory, told)], settled)
        is_owed = any(is_of_recipient(name) and one.result not in SETTLED for name, one in known.items())
        if among is not None or is_owed or len(settled) < len(everybody):
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


def _known(told: Iterable[Mapping[str, Outcome | None]]) -> dict[str, Outcome]:
    """Return what is known by name, of what several memories tell, the oldest first; what was said last counts."""
    return {name: outcome for outcomes in told for name, outcome in outcomes.items() if outcome is not None}


def _tells(memory: Memory, names: Collection[str]) -> bool:
    """Tell whether a memory settles something of one that has such a name."""
    told = {**memory.reached, **memory.outcomes}.items()
    return any(name in names and outcome is not None and outcome.result in SETTLED for name, outcome in told)


def _of_recipients(
    transaction: Transaction, known: Mapping[str, Outcome], reached: Mapping[str, Outcome]
) -> dict[str, Outcome]:
    """Return what is settled of recipients: of one that the client has several names for, when it is by all of them.

    A failure is told, by whichever name it was: policy may have sent the names elsewhere when the message came before.
    Who has the message from this client has it by all names, whoever it got it for: `reached`.
    """
    found: dict[str, Outcome] = {}
    names = transaction.by_name({one.recipient.address: one.recipient.address for one in transaction.accepted})
    open_to = {address for name, address in names.items() if name not in known or known[name].result not in SETTLED}
    for name, address in names.items():
        if address not in open_to and (address not in found or found[address].result is Result.DELIVERED):
            found[address] = known[name]
    for address in open_to:
        outcome = reached.get(name_of_recipient(address))
        if outcome is not None:
            found[address] = outcome
    return found
