"""What became of a message whose client may not have heard it, and how the message is known again (RFC 5321 §4.5.4.1).

A client that comes back brings the reverse-path and the content that it brought before, octet by octet. The one thing
that some sign anew at each attempt is the DKIM-Signature; it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from mtad.mail.address import mailbox_key
from mtad.mail.envelope import Client
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.reply import Reply

FINGERPRINT_OCTETS = 16
_WHOSEVER = " added"  # no address of a client ends so
SETTLED = (Result.DELIVERED, Result.FAILED)
_NOTHING_YET = Outcome(Result.DELAYED, Reply.of(451, "4.3.0", "Not delivered yet"))
_SIGNATURES = re.compile(rb"^DKIM-Signature[ \t]*:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What a message is known again by.

    of_anybody   whoever brings it: large senders come back from another address
    of_client    brought by the same client: policy may have made of it what it makes of nobody else's
    """

    of_anybody: bytes
    of_client: bytes

    @classmethod
    def by(cls, client: Client, fingerprint: bytes) -> Fingerprints:
        """Return those of a message that this client has brought; it is who authenticated, else its address."""
        who = f"identity {client.identity}" if client.identity else f"address {client.address}"
        taken = blake2b(fingerprint + who.encode("utf-8", "surrogateescape"), digest_size=FINGERPRINT_OCTETS)
        return cls(fingerprint, taken.digest())


@dataclass(frozen=True, slots=True)
class Memory:
    """What became of the recipients of one transaction.

    outcomes   by what the client named them, as `mailbox_key` has it: policy may send one name elsewhere next time.
               What became of a recipient by whatever name stands by `name_of_recipient`, unless it is the same: no
               name led elsewhere. One that the queue has taken counts as delivered, to ourselves; None while its
               attempt goes on
    until_ms   UTC; then such an attempt has ended, or the process that made it has
    brought    the message brought by its client, as `Fingerprints.of_client`; b'' where an older program kept it
    """

    queue_id: QueueId
    fingerprint: bytes
    at_ms: int  # UTC
    outcomes: Mapping[str, Outcome | None]
    until_ms: int = 0
    brought: bytes = b""

    @property
    def is_settled(self) -> bool:
        return None not in self.outcomes.values()

    @property
    def is_of_client(self) -> bool:
        """Tell whether it is for the same client alone: policy has led names elsewhere, or held the message."""
        return self.fingerprint == self.brought

    @property
    def settled(self) -> dict[str, Outcome]:
        """Who has the message, or never will, by `name_of_recipient`, whosever name led to it."""
        known = {name: one for name, one in self.outcomes.items() if one is not None and one.result in SETTLED}
        said = {name: outcome for name, outcome in known.items() if is_of_recipient(name)}
        if self.is_of_client:
            return said
        return {name + _WHOSEVER: outcome for name, outcome in known.items() if name not in said} | said

    def ended(self, outcomes: Mapping[str, Outcome], heard: Collection[str] = ()) -> Memory:
        """Return what is left to know when the attempt has ended: that who is not among the outcomes has nothing yet.

        outcomes   by the client's names, and of each recipient by `name_of_recipient`
        heard      names that the client has a 250 for: it means another message when it says them again
        """
        if not outcomes:
            return replace(self, outcomes={}, until_ms=0)
        nothing_yet = {name: _NOTHING_YET for name in self.outcomes if name not in outcomes}
        by_name = {name: one for name, one in outcomes.items() if name not in heard and not is_of_recipient(name)}
        implied = () if self.is_of_client else [name + _WHOSEVER for name in by_name]
        reached = {name: one for name, one in outcomes.items() if is_of_recipient(name) and name not in implied}
        return replace(self, outcomes={**nothing_yet, **by_name, **reached}, until_ms=0)


def name_of_recipient(address: str) -> str:
    """Return the name of a recipient that no client has for it: what became of it, whosever name led to it."""
    return mailbox_key(address) + _WHOSEVER


def is_of_recipient(name: str) -> bool:
    """Tell whether this is such a name."""
    return name.endswith(_WHOSEVER)


def fingerprint_of(reverse_path: str, content: bytes) -> bytes:
    """Return what a message is known again by. `content` is as the client sent it."""
    taken = blake2b(reverse_path.encode("utf-8", "surrogateescape"), digest_size=FINGERPRINT_OCTETS)
    found = 0 if content.startswith(b"\r\n") else content.find(b"\r\n\r\n")
    end = found + 2 if found > 0 else 0
    header = content[:end]
    is_signed = b"dkim-signature" in header.lower()  # asked first, for the expression is slow
    taken.update(b"\0" + (_SIGNATURES.sub(b"", header) if is_signed else header))
    taken.update(memoryview(content)[end:])
    return taken.digest()
