"""One mail transaction, from MAIL to the end of the data (RFC 5321 §3.3), as one value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mtad.mail.address import mailbox_key
from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.envelope import Envelope, Recipient
from mtad.mail.memory import name_of_recipient
from mtad.mail.notes import Noted
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.reply import Reply
from mtad.mail.verdict import Disposition, RetryPlan, Seen, Signing, Verdict
from mtad.server.answering import Hears
from mtad.server.chunking import ChunkReader
from mtad.server.collaborators import Policy, Through
from mtad.server.reply_table import Wish

SIGNATURES_MAX = 4  # of one message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A recipient that the client has a 250 for, and that the mail is to reach.

    outcome     what the next hop said, when it refused for now and we keep the mail
    is_fault    policy failed on its route: it is asked again at the first attempt from the queue
    is_ruled    policy refused it when the content was there: `outcome` is that, and it is nothing for the queue
    seconds     for so long nobody tries it, where it is queued without an attempt or was refused for now
    priority    that the message has at least in the queue
    queue_name  of the queue in which policy wants it to wait
    signing     a key that policy wants the message signed by for it
    is_extra    policy has added it to those that the client named, which get the message too
    is_hidden   such a one of which the client hears nothing
    notify      what policy itself asks of one that it has added
    """

    recipient: Recipient
    retry: RetryPlan
    outcome: Outcome | None = None
    is_fault: bool = False
    is_ruled: bool = False
    is_extra: bool = False
    is_hidden: bool = False
    notify: Notify = Notify.UNSAID
    seconds: int = 0
    priority: int = 0
    queue_name: str = ""
    signing: Signing | None = None

    @classmethod
    def by(
        cls,
        said: Disposition,
        recipient: Recipient,
        outcome: Outcome | None = None,
        *,
        is_extra: bool = False,
        is_hidden: bool = False,
        notify: Notify = Notify.UNSAID,
    ) -> Accepted:
        """Return a recipient with what policy has said of it."""
        return cls(
            recipient,
            said.retry,
            outcome,
            said.is_fault,
            is_extra=is_extra,
            is_hidden=is_hidden,
            notify=notify,
            seconds=said.queue_seconds,
            priority=said.priority,
            queue_name=said.queue_name,
            signing=said.signing,
        )

    def ruled(self, verdict: Verdict | None) -> Accepted | None:
        """Return the recipient with what policy decided on it; None when it is dropped."""
        if verdict is None or (verdict.reply is None and not verdict.is_discarded):
            return self
        if verdict.reply is None:
            return None
        result = Result.FAILED if verdict.reply.is_permanent else Result.DELAYED
        return replace(self, outcome=Outcome(result, verdict.reply), is_ruled=True)

    def asking_besides(self, request: RecipientRequest, *, is_named: bool) -> Accepted:
        """Return the recipient with what is asked of it by one more name; is_named: it had one before."""
        both = self.recipient.request.beside(request)
        if self.is_extra and not is_named:
            both = replace(both, notify=request.notify)
        return replace(self, recipient=replace(self.recipient, request=both))


@dataclass(frozen=True, slots=True)
class Transaction:
    """All there is to know of one transaction; replaced by each command, dropped whole.

    policy      that of its session
    discarded   recipients that the client has a 250 for, and that policy dropped at RCPT; as the client wrote them
    dropped     those of the accepted that policy dropped when the content was there
    is_dropped  policy dropped the whole message, and put nobody in the place of those that it was for
    added       those of the accepted that joined them, for policy added them: their next hops are not asked yet
    through     the same message on its way to the next hops; None before a recipient needs one
    is_broken   a fault of ours left it unknown what the next hops were told: nothing more is accepted in it
    chunks      the content as far as BDAT has brought it; when it is spoilt, RSET must come
    recalled    those of the accepted that have the message already: the client brings it again
    hears       what the client awaits after the end of the data
    held        why it stays in the queue until an operator releases it
    signing     the key that policy wants it signed by
    seen        what policy is to remember if it is accepted
    priority    that policy gives the message in the queue; None: the highest that a recipient has
    queue_name  of the queue in which the message waits; '': that of the first recipient that has one
    named       who gets the mail by each RCPT that the client has a 250 for, in their order; '' is nobody
    names       the same by what the client wrote, as what all spellings of it have in common
    addresses   the accepted as they are written, by what all spellings of them have in common; who is named is one
                thing, who gets the mail another: what policy says of a name it says of no other recipient
    said_path   the reverse-path that the client has said; policy may have given the envelope another
    """

    envelope: Envelope
    policy: Policy
    accepted: tuple[Accepted, ...] = ()
    discarded: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    is_dropped: bool = False
    added: frozenset[str] = frozenset()
    through: Through | None = None
    is_broken: bool = False
    chunks: ChunkReader | None = None
    recalled: frozenset[str] = frozenset()
    hears: Hears = Hears.ONE
    named: tuple[str, ...] = ()
    held: str = ""
    signing: Signing | None = None
    seen: tuple[Seen, ...] = ()
    priority: int | None = None
    queue_name: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    said_path: str = ""

    def noting(self, noted: Noted | None) -> Transaction:
        """Return the transaction with what policy has noted of session and message; None is nothing new."""
        return self if noted is None else replace(self, envelope=self.envelope.noting(noted))

    def ruled(self, ruling: Verdict) -> Transaction:
        """Return the transaction with what policy decided on single recipients at the end of the data."""
        noted, each = ruling.noted, ruling.each
        told = self if noted is None else self._noting_recipients(noted)
        accepted = tuple(
            ruled for one in told.accepted if (ruled := one.ruled(each.get(one.recipient.address))) is not None
        )
        left = {one.recipient.address for one in accepted}
        dropped = tuple(one.recipient.address for one in told.accepted if one.recipient.address not in left)
        return replace(told, accepted=accepted, dropped=dropped)

    def emptied(self, ruling: Verdict) -> Transaction:
        """Return the transaction without those that it was for; who is added gets the message."""
        refused = tuple(one for one in self.accepted if one.is_ruled)  # they hear of it all the same
        addresses = tuple(one.recipient.address for one in self.accepted if not one.is_ruled)
        is_dropped = all(one.is_hidden for one in ruling.added)
        dropped = (*self.dropped, *addresses)
        return replace(self, accepted=refused, dropped=dropped, is_dropped=is_dropped, recalled=frozenset())

    def unnaming(self, addresses: Collection[str]) -> Transaction:
        """Return the transaction with nobody named by the names of these: they are dropped, whoever adds them again."""
        if not addresses:
            return self
        named = tuple("" if address in addresses else address for address in self.named)
        names = {name: "" if address in addresses else address for name, address in self.names.items()}
        return replace(self, named=named, names=names)

    def joined_by(self, new: Sequence[Accepted], renamed: Mapping[str, str]) -> Transaction:
        """Return the transaction with those that policy adds; `renamed`: who is answered as another one from now on."""
        again = {one.recipient.address for one in new}  # who was dropped, and is the one that it is redirected to
        before = (one for one in self.envelope.recipients if one.address not in again)
        recipients = (*before, *(one.recipient for one in new))
        return replace(
            self,
            envelope=replace(self.envelope, recipients=recipients),
            accepted=(*self.accepted, *new),
            added=self.added | again,
            named=tuple(renamed.get(address, address) for address in self.named),
            names={name: renamed.get(address, address) for name, address in self.names.items()},
            addresses={**self.addresses, **{mailbox_key(one.recipient.address): one.recipient.address for one in new}},
        )

    @property
    def signings(self) -> tuple[Signing, ...]:
        """The keys that policy wants the message signed by: what it says of the message stands above the rest."""
        if self.signing is not None:
            return (self.signing,)
        wanted = dict.fromkeys(one.signing for one in self.accepted if one.signing is not None and not one.is_ruled)
        return tuple(wanted)[:SIGNATURES_MAX]

    def queued(self, held: str, seconds: int) -> Transaction:
        """Return the transaction with no attempt to be made while the client waits, nor for so many seconds then."""
        accepted = tuple(
            replace(one, recipient=replace(one.recipient, queue_at_once=True), seconds=max(one.seconds, seconds))
            for one in self.accepted
        )
        return replace(self, accepted=accepted, held=held)

    def _noting_recipients(self, noted: Noted) -> Transaction:
        envelope = self.envelope.noting(noted)
        recipients = tuple(one.noting(noted) for one in envelope.recipients)
        accepted = tuple(replace(one, recipient=one.recipient.noting(noted)) for one in self.accepted)
        return replace(self, envelope=replace(envelope, recipients=recipients), accepted=accepted)

    def asking(self, through: Through) -> Transaction:
        """Return the transaction while a next hop is asked: a fault now would leave it unknown what it was told."""
        return replace(self, through=through, is_broken=True)

    def asked(self) -> Transaction:
        """Return the transaction after the next hop's answer."""
        return replace(self, is_broken=False)

    def with_recipient(self, accepted: Accepted) -> Transaction:
        """Return the transaction with one more recipient, whose next hop has answered or is not asked yet."""
        address = accepted.recipient.address
        return replace(
            self,
            envelope=replace(self.envelope, recipients=(*self.envelope.recipients, accepted.recipient)),
            accepted=(*self.accepted, accepted),
            addresses={**self.addresses, mailbox_key(address): address},
            is_broken=False,
        )

    def discarding(self, written: str) -> Transaction:
        """Return the transaction with one more recipient that policy drops."""
        return replace(self.naming(written, ""), discarded=(*self.discarded, written))

    def naming(self, written: str, address: str) -> Transaction:
        """Return the transaction with a 250 more, for a name by which this recipient gets the mail."""
        return replace(self, named=(*self.named, address), names={**self.names, mailbox_key(written): address})

    def asking_besides(self, address: str, request: RecipientRequest) -> Transaction:
        """Return the transaction with what the sender asks of one of the accepted by one more name.

        What policy has asked of one that it has added does not count where the sender names that one itself.
        """
        accepted = tuple(
            one.asking_besides(request, is_named=address in self.named) if one.recipient.address == address else one
            for one in self.accepted
        )
        now = {one.recipient.address: one.recipient for one in accepted}
        recipients = tuple(now.get(one.address, one) for one in self.envelope.recipients)
        return replace(self, envelope=replace(self.envelope, recipients=recipients), accepted=accepted)

    def with_chunks(self, chunks: ChunkReader) -> Transaction:
        """Return the transaction with its content begun: no recipient is added from now on."""
        return replace(self, chunks=chunks)

    def refused(self) -> Transaction:
        """Return what is left of the transaction when a chunk was refused, and the next hops have been told."""
        return Transaction(self.envelope, self.policy, chunks=self.chunks, hears=self.hears, named=self.named)

    def recalling(self, outcomes: Mapping[str, Outcome]) -> Transaction:
        """Return the transaction with what is remembered of some recipients, whatever their next hop said now."""
        accepted = tuple(
            one if (known := outcomes.get(one.recipient.address)) is None else replace(one, outcome=known)
            for one in self.accepted
        )
        return replace(self, accepted=accepted, recalled=self.recalled.union(outcomes))

    def forgetting(self, addresses: Collection[str]) -> Transaction:
        """Return the transaction without what is remembered of these: they are to get the message after all."""
        forgotten = self.recalled.intersection(addresses)
        if not forgotten:
            return self
        accepted = tuple(
            replace(one, outcome=None) if one.recipient.address in forgotten else one for one in self.accepted
        )
        return replace(self, accepted=accepted, recalled=self.recalled - forgotten)

    def by_name(self, found: Mapping[str, T]) -> dict[str, T]:
        """Return what there is of recipients by what the client calls them, which is the same when it comes again.

        Whom policy has added it has no name for.
        """
        named = {name: found[address] for name, address in self.names.items() if address in found}
        added = found.keys() - self.names.values()
        return named | {name_of_recipient(address): found[address] for address in added}

    def by_every_name(self, found: Mapping[str, T]) -> dict[str, T]:
        """Return the same, and what there is of each by a name that is its own: policy may lead others to it."""
        return self.by_name(found) | {name_of_recipient(address): one for address, one in found.items()}

    @property
    def led_elsewhere(self) -> frozenset[str]:
        """The names by which another one gets the mail, or nobody: policy may send no other client's there."""
        return frozenset(name for name, address in self.names.items() if mailbox_key(address) != name)

    @property
    def is_led(self) -> bool:
        """Tell whether policy has a say in who gets it: adds some, leads names elsewhere, or refuses some."""
        return bool(self.added or self.led_elsewhere or any(one.is_ruled for one in self.accepted))

    @property
    def answered(self) -> frozenset[str]:
        """Those that the client hears of by a name of its own."""
        return frozenset(self.named)

    @property
    def wishes(self) -> dict[str, Wish]:
        """What policy says of each of the accepted, where it is not delivered at once."""
        answered = self.answered
        return {one.recipient.address: self._wish(one, answered) for one in self.accepted}

    def _wish(self, one: Accepted, answered: Collection[str]) -> Wish:
        recipient = one.recipient
        is_named = recipient.address in answered
        return Wish(
            recipient.queue_on_transient,
            recipient.queue_at_once,
            one.is_ruled,
            not is_named and (one.is_extra or self.hears is not Hears.ONE),
            is_hidden=not is_named and one.is_hidden,
        )

    @property
    def is_dropped_for_some(self) -> bool:
        """Tell whether the whole message is dropped, and not refused for each that the client has named."""
        return self.is_dropped and not {one.recipient.address for one in self.accepted}.issuperset(self.named)

    @property
    def dropped_reply(self) -> Reply:
        """What the client hears of those that policy has dropped."""
        return Reply.of(250, "2.0.0", f"Ok: {self.queue_id}")

    def heard(self, reply: Reply) -> Reply:
        """Return the one reply to the message as the client may hear it: of who is hidden it is told nothing."""
        answered = self.answered
        wishes = (self._wish(one, answered) for one in self.accepted)
        is_of_hidden = reply.is_positive and all(wish.is_hidden or wish.is_refused for wish in wishes)
        return self.dropped_reply if is_of_hidden else reply

    @property
    def queue_id(self) -> QueueId:
        return self.envelope.queue_id

    @property
    def left_out(self) -> frozenset[str]:
        """Those for whom the next hops were told of the message, and that get nothing now."""
        ruled = frozenset(one.recipient.address for one in self.accepted if one.is_ruled)
        wanted = frozenset(one.recipient.address for one in self.accepted)
        return self.recalled | ruled.union(one for one in self.dropped if one not in wanted)

    @property
    def recipients_count(self) -> int:
        return len(self.accepted) + len(self.discarded)

    def named_before(self, written: str) -> str | None:
        """Return who gets the mail by a name that the client has a 250 for; None when it has none."""
        return self.names.get(mailbox_key(written))

    def accepted_before(self, address: str) -> str | None:
        """Return a recipient as it was written when it was accepted; None when it was not."""
        return self.addresses.get(mailbox_key(address))

    async def abort(self) -> None:
        """Tell the next hops that nothing will come, and forget what came."""
        if self.chunks is not None:
            self.chunks.release()
        if self.through is not None:
            await self.through.abort()
