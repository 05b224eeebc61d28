"""How a client hears what became of its recipients: once for all of them, or of each (RFC 2033 §4.2; PRDR).

Pure. PRDR is draft-hall-prdr-00: where the replies to recipients differ, 353 comes first, then each of them, then one
for the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from mtad.mail.reply import Reply
from mtad.server.reply_table import reply_to_all
from mtad.server.step import Step, with_status

_EACH_FOLLOWS = Reply.of(353, "", "Replies to each recipient follow, then one to the message")


class Hears(StrEnum):
    """What the client awaits after the end of the data."""

    ONE = "one reply"
    DIFFERENCES = "one reply, or one for each recipient and one more"  # PRDR
    EACH = "one reply for each recipient"  # LMTP


def answer_all(step: Step, hears: Hears, named: Sequence[str]) -> Step:
    """Return the answer to a message whose recipients all hear the same.

    named   who gets the mail by each RCPT that the client has a 250 for, in their order
    """
    return replace(step, said=(step.reply,) * len(named)) if hears is Hears.EACH else step


def answer_each(replies: Mapping[str, Reply], hears: Hears, named: Sequence[str]) -> Step:
    """Return the answer to a message of which each recipient may hear its own; '' is who gets nothing."""
    said = tuple(with_status(replies[address]) for address in named)
    step = Step(reply_to_all(said))
    if hears is Hears.EACH:
        return replace(step, said=said)
    is_one_enough = len(set(said)) == 1 or all(reply.is_positive for reply in said)
    return step if is_one_enough else replace(step, said=(_EACH_FOLLOWS, *said, step.reply))
