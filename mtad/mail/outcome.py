"""What became of one recipient in one attempt (the words of RFC 3464 §2.3.3, and one more)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mtad.mail.reply import Reply

_OUR_SYSTEM = "4.3."  # RFC 3463 §3.4, said by ourselves: stopped, shut down, misled by a route, faulted
_MISLED = "4.3.5"  # RFC 3463 §3.4: configured wrongly
_NOT_LOOKED_UP = "4.4.3"  # the same: DNS did not tell


class Result(StrEnum):
    """How an attempt ended for a recipient."""

    DELIVERED = "delivered"  # the next hop answered 2xx: it has taken responsibility
    DELAYED = "delayed"  # refused for now, or not reached
    FAILED = "failed"  # refused for good
    UNKNOWN = "unknown"  # the connection was lost between the final dot and its reply


class Success(StrEnum):
    """What a DSN of ours would say of a delivered recipient (RFC 3461 §5.2.2, §5.2.3)."""

    TOLD = ""  # nothing: the next hop offers DSN, and the duty went with the message
    RELAYED = "relayed"  # the next hop knows nothing of DSNs
    TRACED = "traced"  # relayed, of which whoever named a time to be delivered by is told (RFC 2852 §4.1.4)
    DELIVERED = "delivered"  # by LMTP, which ends in the mailbox


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recipient's result, with the reply that says why.

    reply      the next hop's own reply, or ours where none was given (DELAYED: 4xx, FAILED: 5xx)
    next_hop   the host that gave it, 'mx.example.net' or 'unix:/path'; '' when none was reached
    is_ours    the reply is ours though there was a next hop; known of what has just happened, and not stored
    """

    result: Result
    reply: Reply
    next_hop: str = ""
    success: Success = Success.TOLD
    is_ours: bool = field(default=False, compare=False)

    @property
    def is_final(self) -> bool:
        return self.result in (Result.DELIVERED, Result.FAILED)

    @property
    def is_our_fault(self) -> bool:
        """Tell whether it was we who could not go on."""
        return self._is_ours_for_now and self.reply.enhanced.startswith(_OUR_SYSTEM)

    @property
    def is_misled(self) -> bool:
        """Tell whether the route is one that cannot be followed."""
        return self._is_ours_for_now and self.reply.enhanced == _MISLED

    @property
    def is_counted(self) -> bool:
        """Tell whether it is one of the attempts after so many of which a recipient is given up.

        A fault of ours is none, nor is a lookup that failed: it may be our resolver that does not answer.
        """
        is_not_known = self._is_ours_for_now and self.reply.enhanced == _NOT_LOOKED_UP
        return not self.is_our_fault and not is_not_known

    @property
    def _is_ours_for_now(self) -> bool:
        return (self.is_ours or not self.next_hop) and self.result is Result.DELAYED
