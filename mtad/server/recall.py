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

    async def known(self, transaction: Transaction, fingerprints: Fingerprints) -> Transaction | Step:
        """Return the transaction with what is remembered by name, or the reply where nothing is left to do.

        An attempt that goes on, here or on the other node, is waited for.
        """
        memories = await self._recalled(transaction, fingerprints)
        if isinstance(memories, Step):
            return memories
        if not memories:
            return transaction
        everybody = {one.recipient.address for one in transaction.accepted}
        if self._goes_on(transaction, memories, everybody):
            return _GOES_ON
        known = _known(memory.outcomes for memory in memories)
        settled = _by_name(transaction, known)
        if not settled:
            return transaction
        self._note_answer(transaction, memories, settled)
        is_owed = any(is_of_recipient(name) and one.result not in SETTLED for name, one in known.items())
        if is_owed or len(settled) < len(everybody):
            return transaction.recalling(settled)
        reply = settle(settled, transaction.wishes).reply
        return Step(local_fault(transaction.queue_id) if reply is None else with_status(transaction.heard(reply)))

    async def led(
        self, before: Transaction, transaction: Transaction, coming: Collection[str], fingerprints: Fingerprints
    ) -> Transaction | Step:
        """Return the transaction with what is remembered of those that policy has led the message to in the end.

        before   the transaction without those that have joined it
        coming   those that it is led to, whether they have joined or were there
        Who has the message from this client has it by whichever way it is led there. Who is known by a name of its own
        alone may have nothing yet: that name led elsewhere when the message came before.
        """
        memories = await self._recalled(transaction, fingerprints)
        if isinstance(memories, Step):
            return memories
        if not memories:
            return transaction
        new = {one.recipient.address for one in transaction.accepted[len(before.accepted) :]}
        if self._goes_on(transaction, memories, new):
            return _GOES_ON
        transaction = transaction.forgetting({one for one in coming if not _is_reached(one, memories)})
        own = [one for one in memories if fingerprints.of_client in (one.fingerprint, one.brought)]
        of_own = _known(one.settled for one in own)
        by_name = _by_name(transaction, _known(memory.outcomes for memory in memories))
        settled = {a: one for a, one in by_name.items() if a in new and (not own or name_of_recipient(a) in of_own)}
        for one in transaction.accepted:
            address = one.recipient.address
            outcome = of_own.get(name_of_recipient(address))
            is_open = not one.is_ruled and address not in transaction.recalled
            if is_open and outcome is not None and outcome.result is Result.DELIVERED:
                settled.setdefault(address, outcome)
        if not settled:
            return transaction
        self._note_answer(transaction, memories, settled)
        return transaction.recalling(settled)

    async def _recalled(self, transaction: Transaction, fingerprints: Fingerprints) -> list[Memory] | Step:
        """Return what is remembered of the message, the oldest first, or our fault where that cannot be told now.

        One that names nobody of those that were named before is another message, whomever policy leads it to.
        """
        asked = [one for one in (fingerprints.of_anybody, fingerprints.of_client) if self._memories.has(one)]
        found: list[Memory] = []
        for memories in await asyncio.gather(*map(self._memories.recall, asked)) if asked else ():
            if memories is None:
                return Step(local_fault(transaction.queue_id))
            found.extend(_of_this_client(memory, transaction, fingerprints) for memory in memories)
        is_again = any(not transaction.names.keys().isdisjoint(memory.outcomes) for memory in found)
        return sorted(found, key=lambda memory: memory.at_ms) if is_again else []

    def _goes_on(self, transaction: Transaction, memories: list[Memory], addresses: Collection[str]) -> bool:
        """Tell whether an attempt goes on for one of these; where nobody told how it ended, note the doubt."""
        names = transaction.by_name(dict.fromkeys(addresses)).keys()
        known = _known(memory.outcomes for memory in memories).keys()
        unsettled = [memory for memory in memories if names & memory.outcomes.keys() - known]
        wall_ms = self._clock.wall_ms()
        if any(memory.until_ms > wall_ms for memory in unsettled):
            return True
        self._note_doubt(transaction, unsettled)
        return False

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

    def _note_answer(self, transaction: Transaction, memories: list[Memory], settled: dict[str, Outcome]) -> None:
        names = transaction.by_every_name(settled).keys()
        self.answered_count += 1
        self._events.emit(
            "retry.answered",
            queue_id=transaction.queue_id,
            of=" ".join(memory.queue_id for memory in memories if _tells(memory, names)),
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


def _is_reached(address: str, memories: Iterable[Memory]) -> bool:
    outcomes = (memory.settled.get(name_of_recipient(address)) for memory in memories)
    return any(outcome is not None and outcome.result is Result.DELIVERED for outcome in outcomes)


def _tells(memory: Memory, names: Collection[str]) -> bool:
    """Tell whether a memory settles something of one that has such a name."""
    told = {**memory.settled, **memory.outcomes}.items()
    return any(name in names and outcome is not None and outcome.result in SETTLED for name, outcome in told)


def _by_name(transaction: Transaction, known: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Return what is settled of recipients: of one that the client has several names for, when it is by all of them.

    A failure is told, by whichever name it was: policy may have sent the names elsewhere when the message came before.
    """
    found: dict[str, Outcome] = {}
    names = transaction.by_name({one.recipient.address: one.recipient.address for one in transaction.accepted})
    settled = {name: outcome for name, outcome in known.items() if outcome.result in SETTLED}
    left = {address for name, address in names.items() if name not in settled}
    for name, address in names.items():
        if address not in left and (address not in found or found[address].result is Result.DELIVERED):
            found[address] = settled[name]
    return found
