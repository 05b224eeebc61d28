"""What became of what was promised: the specification is a set, each of its messages at least once.

Pure: evidence in, findings out. Nothing is said about order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mtad.lab.load import Accepted, Failed
from mtad.lab.sink import Delivery
from mtad.server.keeping import PENDING_SECONDS

DOT_TO_DEATH_MS = 5_000  # a node that ends so long after a next hop took a message may not have told its peer
SETTLING_MS = 8_000  # two owners may both be at work for so long after the fault that made them has ended
TAKEOVER_MS = 1_000  # a node may have begun to deliver so long before it was seen to be active
LOOK_MS = 1_000  # a node may read its clock, or its client the reply, so long after the clock was right again
_QUEUED = re.compile(r"queued as ([0-9A-Z]+) \((\d) cop")

Window = tuple[int, int]
"""From and to, UTC milliseconds."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a node was seen to be; role "" when it does not answer."""

    at_ms: int
    node: str
    role: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Wipe:
    """A node's store was deleted."""

    port: int  # where its clients connect
    at_ms: int


@dataclass(frozen=True, slots=True)
class SetBack:
    """A node's wall clock was behind: what it left to an attempt of its own had ended by the other's clock."""

    port: int  # where its clients connect
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a round at its end.

    bounced    recipients that every next hop refuses for good: their senders get a DSN
    dsn_path   how the sender of a message is called, `{id}` for its X-Lab-Id
    in_queue   X-Lab-Ids of what is in the queue of a living node
    """

    accepted: Sequence[Accepted]
    deliveries: Sequence[Delivery]
    bounced: frozenset[str]
    dsn_path: str
    failed: Sequence[Failed] = ()
    in_queue: frozenset[str] = frozenset()
    wipes: Sequence[Wipe] = ()
    deaths: Sequence[int] = ()
    stops: Sequence[int] = ()  # when a node was made to stand still
    unheard: Sequence[Window] = ()  # when nobody heard the owner, which goes on until its lease ends
    split: Sequence[Window] = ()
    closing: Sequence[Window] = ()
    set_back: Sequence[SetBack] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What the evidence shows; messages by X-Lab-Id."""

    lost: tuple[str, ...]
    excused: tuple[str, ...]  # had one copy, on a disk that was wiped
    waiting: tuple[str, ...]  # still in a queue
    false_bounces: tuple[str, ...]
    duplicates: Mapping[str, int] = field(default_factory=dict)  # by cause
    unexplained: tuple[str, ...] = ()


def queue_id_of(reply: str) -> str | None:
    """Return the queue id in a 250 that says "queued as"; None for others."""
    found = _QUEUED.search(reply)
    return found[1] if found is not None else None


def copies_of(reply: str) -> int:
    """Return how many copies a 250 promises; 0 when it is not about the queue."""
    found = _QUEUED.search(reply)
    return int(found[2]) if found is not None else 0


def two_owners(sightings: Iterable[Sighting]) -> list[Window]:
    """Return when two nodes were seen to be active at once."""
    active: set[str] = set()
    windows: list[Window] = []
    began: int | None = None
    at_ms = 0
    for seen in sightings:
        at_ms = seen.at_ms
        (active.add if seen.role == "active" else active.discard)(seen.node)
        if len(active) > 1 and began is None:
            began = at_ms - TAKEOVER_MS
        elif len(active) < 2 and began is not None:
            windows.append((began, at_ms))
            began = None
    return windows if began is None else [*windows, (began, at_ms + TAKEOVER_MS)]


def check(evidence: Evidence) -> Findings:
    """Compare what clients were told with what arrived."""
    arrived = {(each.lab_id, each.recipient) for each in evidence.deliveries}
    reported = _reported(evidence)
    lost, excused, waiting = [], [], []
    for answer in evidence.accepted:
        is_bounced = answer.recipient in evidence.bounced and answer.lab_id in reported
        if (answer.lab_id, answer.recipient) in arrived or is_bounced:
            continue
        if answer.lab_id in evidence.in_queue:
            waiting.append(answer.lab_id)
        elif _is_excused(answer, evidence.wipes):
            excused.append(answer.lab_id)
        else:
            lost.append(answer.lab_id)
    duplicates, unexplained = _duplicates(evidence)
    deliverable = {answer.lab_id for answer in evidence.accepted if answer.recipient not in evidence.bounced}
    return Findings(
        lost=tuple(lost),
        excused=tuple(excused),
        waiting=tuple(waiting),
        false_bounces=tuple(sorted(reported & deliverable)),
        duplicates=duplicates,
        unexplained=unexplained,
    )


def _reported(evidence: Evidence) -> set[str]:
    """Return the messages whose sender got a DSN."""
    before, _, after = evidence.dsn_path.partition("{id}")
    return {
        each.recipient[len(before) : -len(after)]
        for each in evidence.deliveries
        if each.recipient.startswith(before) and each.recipient.endswith(after)
    }


def _is_excused(answer: Accepted, wipes: Iterable[Wipe]) -> bool:
    """Tell whether a message had its one copy on a disk that was wiped afterwards."""
    return copies_of(answer.reply) == 1 and any(
        answer.target[1] == wipe.port and answer.at_ms <= wipe.at_ms + 1_000 for wipe in wipes
    )


def _duplicates(evidence: Evidence) -> tuple[dict[str, int], tuple[str, ...]]:
    """Count deliveries beyond the first by what explains each; return also those that nothing explains."""
    copies: dict[tuple[str, str], list[int]] = {}
    for each in evidence.deliveries:
        copies.setdefault((each.lab_id, each.recipient), []).append(each.at_ms)
    resends = {
        True: Counter(failed.lab_id for failed in evidence.failed if failed.is_in_doubt),
        False: Counter(failed.lab_id for failed in evidence.failed if not failed.is_in_doubt),
    }
    causes: Counter[str] = Counter()
    unexplained = []
    for (lab_id, recipient), times in copies.items():
        times.sort()
        for earlier, later in pairwise(times):
            cause = _cause(lab_id, earlier, later, evidence, resends)
            causes[cause] += 1
            if cause == "unexplained":
                unexplained.append(f"{lab_id} {recipient} {earlier} {later}")
    return dict(causes), tuple(unexplained)


def _cause(lab_id: str, earlier: int, later: int, evidence: Evidence, resends: Mapping[bool, Counter[str]]) -> str:
    """Say why a message came again; each time that a client sent it again explains one copy."""
    if any(begin <= earlier <= end for begin, end in evidence.closing):
        return "the next hop closed after the dot"
    for is_in_doubt, why in ((True, "the client heard no reply and sent again"), (False, "sent again after a 4xx")):
        if resends[is_in_doubt][lab_id]:
            resends[is_in_doubt][lab_id] -= 1
            return why
    if any(earlier - 500 <= death <= min(later, earlier + DOT_TO_DEATH_MS) for death in evidence.deaths):
        return "a node died after the dot"
    if any(earlier - 500 <= stop <= min(later, earlier + DOT_TO_DEATH_MS) for stop in evidence.stops):
        return "a node stood still after the dot"
    if any(begin - 500 <= earlier <= end for begin, end in evidence.unheard):
        return "nobody heard its owner"
    if any(begin <= later and earlier <= end + SETTLING_MS for begin, end in evidence.split):
        return "two owners"
    if _is_dated_wrongly(lab_id, later, evidence):
        return "a claim was dated by a clock that was behind"
    return "unexplained"


def _is_dated_wrongly(lab_id: str, later: int, evidence: Evidence) -> bool:
    """Tell whether a message was queued at a node whose clock was behind, and came again while its claim ran."""
    return any(
        answer.target[1] == clock.port
        and clock.from_ms <= answer.at_ms <= clock.until_ms + LOOK_MS
        and later <= answer.at_ms + PENDING_SECONDS * 1000
        for answer in evidence.accepted
        if answer.lab_id == lab_id and answer.is_queued
        for clock in evidence.set_back
    )
