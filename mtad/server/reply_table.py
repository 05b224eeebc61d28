"""What the client is answered after the end of data, given what became of each recipient (docs: "Through-delivery").

Pure. The rule of the table: a client that may keep the mail keeps it (transient replies), unless somebody has it
already; what is neither delivered nor refused for good when we answer 250 is committed to the queue before. Where each
recipient hears its own (LMTP, RFC 2033 §4.2; PRDR, draft-hall-prdr-00), the table is read for one recipient at a time.
A message that nobody has whom the client has named, and that we need not keep for any of them, is refused, whoever got
it besides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply, local_fault

REPLIES_NAMED_MAX = 4  # in one 250


@dataclass(frozen=True, slots=True)
class Wish:
    """What policy says of a recipient that is not delivered at once."""

    queue_on_transient: bool = False
    queue_at_once: bool = False
    is_refused: bool = False  # by policy, which knows the content: the queue is no way around it
    is_extra: bool = False  # policy adds it: what the client hears is of those that it has named
    is_hidden: bool = False  # and hears nothing of it even where none of those is left


_PLAIN = Wish()


class Standing(StrEnum):
    """How a recipient stands when the client is answered."""

    DELIVERED = "delivered"
    FAILED = "failed"
    DELAYED = "delayed"  # the client may keep the mail
    OURS = "ours"  # must be kept: outcome unknown or pending, or policy or the client's kind wants it


class Decision(StrEnum):
    """What the client is answered."""

    DELIVERED = "250, everybody has it"
    DELIVERED_TO_SOME = "250, and a DSN for the refused"
    REFUSED = "the next hop's 5xx"
    REFUSED_FOR_NOW = "the next hop's 4xx"
    KEEP = "250 after the commit of what is left"


_D, _F, _T, _O = Standing.DELIVERED, Standing.FAILED, Standing.DELAYED, Standing.OURS

# For every set of standings among the recipients of a message.
DECISIONS: Mapping[frozenset[Standing], Decision] = {
    frozenset({_D}): Decision.DELIVERED,
    frozenset({_F}): Decision.REFUSED,
    frozenset({_T}): Decision.REFUSED_FOR_NOW,
    frozenset({_O}): Decision.KEEP,
    frozenset({_D, _F}): Decision.DELIVERED_TO_SOME,
    frozenset({_D, _T}): Decision.KEEP,
    frozenset({_D, _O}): Decision.KEEP,
    frozenset({_F, _T}): Decision.REFUSED_FOR_NOW,  # nobody has it: the client asks again, and hears 5xx at RCPT
    frozenset({_F, _O}): Decision.KEEP,
    frozenset({_T, _O}): Decision.KEEP,
    frozenset({_D, _F, _T}): Decision.KEEP,
    frozenset({_D, _F, _O}): Decision.KEEP,
    frozenset({_D, _T, _O}): Decision.KEEP,
    frozenset({_F, _T, _O}): Decision.KEEP,
    frozenset({_D, _F, _T, _O}): Decision.KEEP,
}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to do now.

    reply    None: commit `keep`, then answer what `reply_after_commit` or `reply_after_refusal` says
    keep     recipients to commit to the queue
    failed   recipients that are refused for good while the client hears 250: a DSN is owed where one may be sent
    each     where each recipient hears its own: what those hear that are not to be kept
    """

    reply: Reply | None
    keep: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    each: Mapping[str, Reply] = field(default_factory=dict)

    @property
    def is_accepting(self) -> bool:
        """Tell whether the client hears 250, unless what is left cannot be kept."""
        return self.reply is None or self.reply.is_positive


def standing(outcome: Outcome | None, wish: Wish, *, is_submission: bool) -> Standing:
    """Return how a recipient stands; None is an attempt that was not made or still goes on."""
    if outcome is None or outcome.result is Result.UNKNOWN:
        return Standing.OURS
    if outcome.result is Result.DELAYED:
        is_ours = not wish.is_refused and (is_submission or wish.queue_on_transient or wish.queue_at_once)
        return Standing.OURS if is_ours else Standing.DELAYED
    return Standing.DELIVERED if outcome.result is Result.DELIVERED else Standing.FAILED


def settle(
    outcomes: Mapping[str, Outcome | None],
    wishes: Mapping[str, Wish],
    *,
    is_submission: bool = False,
    is_dropped: bool = False,
) -> Settlement:
    """Decide what the client is answered.

    outcomes        of every accepted recipient, at least one; None while the attempt goes on
    wishes          by recipient; those without stand for `Wish()`
    is_submission   the client is a submitter: it has no queue
    is_dropped      policy has dropped the message for all others that the client has named: they are answered 250, as
                    if they had it, and who is refused for good stands beside them (RFC 5429 §2.1.2)
    """
    standings = _standings(outcomes, wishes, is_submission=is_submission)
    named = {a: kind for a, kind in standings.items() if not wishes.get(a, _PLAIN).is_extra}
    named = named or {a: kind for a, kind in standings.items() if not wishes.get(a, _PLAIN).is_hidden}
    if not named:
        return replace(settle_apart(outcomes, wishes, is_submission=is_submission), each={})
    is_dropped = is_dropped and Standing.DELAYED not in named.values()
    if not is_dropped and not _is_taken(named.values()):
        standings = named
    decision = DECISIONS[frozenset(standings.values()).union({Standing.DELIVERED} if is_dropped else ())]
    failed = tuple(address for address, kind in standings.items() if kind is Standing.FAILED)
    if decision is Decision.KEEP:
        keep = tuple(address for address, kind in standings.items() if kind in (Standing.DELAYED, Standing.OURS))
        return Settlement(None, keep, failed)
    if decision in (Decision.DELIVERED, Decision.DELIVERED_TO_SOME):
        delivered = [one for a, one in outcomes.items() if a in named and one and one.result is Result.DELIVERED]
        return Settlement(delivered_reply(delivered) if delivered else _FOR_NOBODY, (), failed)
    wanted = Result.FAILED if decision is Decision.REFUSED else Result.DELAYED
    refusal = next(one for a, one in outcomes.items() if a in standings and one and one.result is wanted)
    return Settlement(passed_on(refusal))


def settle_apart(
    outcomes: Mapping[str, Outcome | None], wishes: Mapping[str, Wish], *, is_submission: bool = False
) -> Settlement:
    """Decide what the client is answered of each recipient; the arguments are those of `settle`.

    What the client is told of a recipient it need not be told in a DSN, and what it may keep it keeps, whatever the
    others hear.
    """
    standings = _standings(outcomes, wishes, is_submission=is_submission)
    extras = {address for address in outcomes if wishes.get(address, _PLAIN).is_extra}
    named = [kind for address, kind in standings.items() if address not in extras]
    is_taken = not named or _is_taken(named)
    if is_taken:  # nobody would hear the 4xx of those that policy adds
        delayed = [address for address in extras if standings[address] is Standing.DELAYED]
        standings |= dict.fromkeys(delayed, Standing.OURS)
    keep = tuple(address for address, kind in standings.items() if kind is Standing.OURS) if is_taken else ()
    each = {
        address: delivered_reply([outcome]) if standings[address] is Standing.DELIVERED else passed_on(outcome)
        for address, outcome in outcomes.items()
        if outcome is not None and standings[address] is not Standing.OURS
    }
    heard = [reply for address, reply in each.items() if address not in extras]
    failed = tuple(address for address in extras if standings[address] is Standing.FAILED)
    return Settlement(None if keep else reply_to_all(heard or [_FOR_NOBODY]), keep, failed, each)


_FOR_NOBODY = Reply.of(250, "2.0.0", "Ok")  # of those that the client has named, which policy has dropped
_SOME = Reply.of(250, "2.0.0", "Ok for some recipients, each has its own reply")
_NONE = Reply.of(554, "5.0.0", "Refused for all recipients, each has its own reply")
_NONE_FOR_NOW = Reply.of(450, "4.0.0", "Refused for all recipients, each has its own reply")


def reply_to_all(replies: Collection[Reply]) -> Reply:
    """Return the one reply to a message that its recipients' own, of which there is one at least, come to.

    It is permanent only where all of them are: some clients take it for every recipient then.
    """
    said = list(dict.fromkeys(replies))
    if len(said) == 1:
        return said[0]
    if all(reply.is_positive for reply in said):
        more = "; ..." if len(said) > REPLIES_NAMED_MAX else ""
        return Reply.of(250, "2.0.0", "; ".join(" ".join(one.lines) for one in said[:REPLIES_NAMED_MAX]) + more)
    if any(reply.is_positive for reply in said):
        return _SOME
    return _NONE if all(reply.is_permanent for reply in said) else _NONE_FOR_NOW


def _is_taken(standings: Collection[Standing]) -> bool:
    """Tell whether somebody has the message, or we must keep it for somebody."""
    return Standing.DELIVERED in standings or Standing.OURS in standings


def _standings(
    outcomes: Mapping[str, Outcome | None], wishes: Mapping[str, Wish], *, is_submission: bool
) -> dict[str, Standing]:
    return {
        address: standing(outcome, wishes.get(address, _PLAIN), is_submission=is_submission)
        for address, outcome in outcomes.items()
    }


def delivered_reply(delivered: list[Outcome]) -> Reply:
    """Return the 250 that names what the next hops said."""
    said = list(dict.fromkeys(f"{outcome.next_hop}: {outcome.reply}" for outcome in delivered))
    more = "; ..." if len(said) > REPLIES_NAMED_MAX else ""
    return Reply.of(250, "2.0.0", f"Ok: delivered ({'; '.join(said[:REPLIES_NAMED_MAX])}{more})")


# Codes that speak of the next hop's own connection, and what they mean to our client.
_CODES_PASSED_ON: Mapping[int, int] = {421: 451, 521: 554}


def passed_on(outcome: Outcome) -> Reply:
    """Return a next hop's refusal as our client's reply: at RCPT, or for one recipient of LMTP."""
    reply = outcome.reply
    return Reply(_CODES_PASSED_ON.get(reply.code, reply.code), reply.enhanced, reply.lines)


def reply_after_commit(copies: int, queue_id: str, *, is_received: bool = False) -> Reply:
    """Return the 250 for what the queue holds: on how many disks, and whether the peer has received it besides."""
    held = "1 copy" if copies == 1 else f"{copies} copies"
    return Reply.of(250, "2.0.0", f"Ok: queued as {queue_id} ({held}{', 1 in memory' if is_received else ''})")


_REFUSALS: Mapping[str, Reply] = {
    "full": Reply.of(452, "4.3.1", "Queue is full, try again later"),
    "peer": Reply.of(451, "4.4.0", "No second copy can be made now, try again later"),
}


def reply_after_refusal(why: str, trace: str) -> Reply:
    """Return the reply when nothing was committed; `why` is the queue's word for it: full, peer, or any other."""
    return _REFUSALS.get(why) or local_fault(trace)
