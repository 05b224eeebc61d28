"""Bugs in when a client is answered."""

from __future__ import annotations

from typing import Any

from replicator.core.accept import Accept
from replicator.core.events import CommitFailed, Committed, Effect, Event, Send
from replicator.core.member import Member
from replicator.core.messages import Ack, Records
from replicator.core.receiving import Incoming
from replicator.core.values import Kind, Protection, Record
from tests.simulation.mutants.planting import Mutant, Planting


def _before_commit(planting: Planting) -> None:
    planting.replace(Accept, "is_answerable", lambda self, last_seq, peer_durable: last_seq <= peer_durable)
    planting.replace(Accept, "is_kept", lambda self, last_seq: True)


def _when_sent(planting: Planting) -> None:
    def settle(self: Accept, peer_durable: int, out: list[Effect]) -> None:
        is_sent = self.protection is Protection.PROTECTED
        was(self, self._journal.seq if is_sent else peer_durable, out)

    was = planting.replace(Accept, "settle", settle)


def _ack_on_receipt(planting: Planting) -> None:
    def records(self: Incoming, message: Records, out: list[Effect]) -> str:
        fault: str = was(self, message, out)
        out.append(Send(self._session, Ack({message.branch: self._journal.have.get(message.branch, 0)})))
        return fault

    was = planting.replace(Incoming, "records", records)


def _commit_error_swallowed(planting: Planting) -> None:
    def step(self: Member, now: int, event: Event) -> Any:
        if isinstance(event, CommitFailed):
            event = Committed(event.ticket)
        return was(self, now, event)

    was = planting.replace(Member, "step", step)


def _no_abort(planting: Planting) -> None:
    def init(self: Accept, settings: Any, journal: Any, write: Any, now: int) -> None:
        def write_no_abort(records: tuple[Record, ...], out: list[Effect]) -> int:
            return 0 if records[0].kind is Kind.ABORT else write(records, out)

        was(self, settings, journal, write_no_abort, now)

    was = planting.replace(Accept, "__init__", init)


def _each_waits(planting: Planting) -> None:
    planting.replace(Accept, "waits_for_peer", lambda self: self._has_peer)


MUTANTS = (
    Mutant("250-before-commit", 1, "250 before the local commit", ("S1",), 5, _before_commit),
    Mutant("250-when-sent", 2, "250 when the record was sent to the peer", ("S1",), 5, _when_sent),
    Mutant("ack-on-receipt", 3, "the peer confirms what it has not written yet", ("S1", "S15"), 10, _ack_on_receipt),
    Mutant(
        "commit-error-swallowed",
        4,
        "a commit error is swallowed",
        ("S1", "S9", "S13", "S15", "L5"),
        60,
        _commit_error_swallowed,
    ),
    Mutant("each-waits", 29, "each waits for a peer that was given up", ("L5",), 10, _each_waits),
    Mutant("451-without-abort", 16, "451 after local durability without ABORT", ("S12",), 150, _no_abort),
)
