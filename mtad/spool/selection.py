"""Which messages an operator means (pure): `mtactl queue`'s selections over what the queue holds."""

from __future__ import annotations

from dataclasses import dataclass

from mtad.mail.envelope import domain_of
from mtad.mail.outcome import Result
from mtad.spool.codec import StoredMessage
from mtad.spool.door import TERMINAL_RANK, Rank, RecipientState


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is given must hold; nothing given selects nothing unless `is_all`."""

    queue_ids: frozenset[str] = frozenset()
    domain: str = ""
    sender: str = ""  # '<>' is the null reverse-path
    recipient: str = ""
    state: str = ""  # deferred held active unknown, see state_of
    older_than_ms: int = 0
    queue: str = ""  # as policy calls it
    is_all: bool = False

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was asked for."""
        of_message = self.queue_ids or self.sender or self.state or self.older_than_ms or self.queue
        return not (of_message or self.domain or self.recipient)

    def matches(self, message: StoredMessage, wall_ms: int) -> bool:
        """Tell whether the message is meant."""
        if self.is_empty:
            return self.is_all
        pending = [address for address, state in message.recipients.items() if state.rank < TERMINAL_RANK]
        sender = "" if self.sender == "<>" else self.sender.lower()
        return (
            (not self.queue_ids or message.queue_id in self.queue_ids)
            and (not self.domain or any(domain_of(address) == self.domain.lower() for address in pending))
            and (not self.sender or message.reverse_path.lower() == sender)
            and (not self.recipient or any(address.lower() == self.recipient.lower() for address in pending))
            and (not self.state or self.state == state_of(message, wall_ms))
            and (not self.queue or message.queue_name == self.queue)
            and (not self.older_than_ms or wall_ms - message.arrival_ms >= self.older_than_ms)
        )


def state_of(message: StoredMessage, wall_ms: int) -> str:
    """Return `held`, `active` (being tried, or not tried yet), `unknown` (an attempt ended in doubt) or `deferred`."""
    if message.is_held:
        return "held"
    pending = [state for state in message.recipients.values() if state.rank < TERMINAL_RANK]
    if any(state.claim is not None and wall_ms < state.claim.until_ms for state in pending):
        return "active"
    if any(_is_in_doubt(state) for state in pending):
        return "unknown"
    return "deferred" if any(state.rank is Rank.DEFERRED for state in pending) else "active"


def _is_in_doubt(state: RecipientState) -> bool:
    """Tell whether the last attempt has ended without an answer, or without a word of the node that made it."""
    is_unanswered = bool(state.attempts) and state.attempts[-1].outcome.result is Result.UNKNOWN
    return is_unanswered or state.claim is not None
