"""The facts of `mtactl status` as metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from mtad.admin.health import problems
from mtad.pb import admin_pb2 as pb
from mtad.telemetry.metrics import Family, Kind, Metric, Sample

_ROLES = ("active", "alone", "passive", "following", "promoting", "rejoining", "draining", "fenced", "stopped")
_PROTECTIONS = ("protected", "suspect", "degraded", "catchup")
_LINKS_UP = ("up",)

Read = Callable[[pb.StatusReply], Iterable[tuple[tuple[str, ...], float]]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric, and how it is read of a node's status: the values of its labels, and the number."""

    name: str
    text: str
    read: Read
    labels: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """What it is exposed as."""
        return Metric(self.name, Kind.GAUGE, self.labels)


def measured(status: pb.StatusReply) -> Iterator[Family]:
    """Yield all of them; one that this node has nothing to say of has no series."""
    for measure in MEASURES:
        yield Family(measure.metric, [Sample(*one) for one in measure.read(status)], measure.text)


def _one(read: Callable[[pb.StatusReply], float]) -> Read:
    return lambda status: [((), float(read(status)))]


def _if_there(part: str, read: Read) -> Read:
    """Read what only a status with this part tells."""
    return lambda status: read(status) if status.HasField(part) else []


def _chosen(values: Iterable[str], chosen: str) -> list[tuple[tuple[str, ...], float]]:
    """Return a series for each value: 1 of the one that holds, 0 of the others."""
    return [((value,), float(value == chosen)) for value in dict.fromkeys((*values, chosen))]


def _of_nodes(
    of_peer: Callable[[pb.Peer], float], of_far: Callable[[pb.Far], float], *, is_fed_only: bool = False
) -> Read:
    """Read what is told of each node that this one has a link to."""

    def read(status: pb.StatusReply) -> Iterator[tuple[tuple[str, ...], float]]:
        if status.HasField("peer"):
            yield (status.peer.node,), float(of_peer(status.peer))
        for far in (*status.sites, *status.members):
            if far.is_fed or not is_fed_only:
                yield (far.node,), float(of_far(far))

    return read


_OF_NODE = ("node",)


def _lag(field: str, text: str) -> Measure:
    """Return the measure of how far another node is behind, in what its field of this name counts."""
    read = attrgetter(field)
    return Measure(f"mtad_{field}", text, _of_nodes(read, read, is_fed_only=True), labels=_OF_NODE)


MEASURES = (
    Measure(
        "mtad_info", "The node and its version.", lambda s: [((s.node, s.version), 1.0)], labels=("node", "version")
    ),
    Measure(
        "mtad_uptime_seconds", "For which the process that owns the queue has run.", _one(lambda s: s.uptime_seconds)
    ),
    Measure(
        "mtad_role",
        "1 of the role that the node has, 0 of the others.",
        lambda s: _chosen(_ROLES, s.role),
        labels=("role",),
    ),
    Measure("mtad_epoch", "How often the right to deliver has moved between the nodes.", _one(lambda s: s.epoch)),
    Measure(
        "mtad_problems",
        "How many reasons `mtactl status` gives why the node is not healthy.",
        _one(lambda s: len(problems(s))),
    ),
    Measure("mtad_unfit", "1 if the peer wrote what this version does not understand.", _one(lambda s: s.is_unfit)),
    Measure("mtad_workers", "Processes that take clients.", _one(lambda s: s.workers)),
    Measure("mtad_sessions", "Sessions that are open.", _one(lambda s: s.sessions)),
    Measure(
        "mtad_protection",
        "1 of the state that the pair is in, 0 of the others: in `degraded` and `catchup` new mail has one copy.",
        _if_there("peer", lambda s: _chosen(_PROTECTIONS, s.peer.state)),
        labels=("state",),
    ),
    Measure(
        "mtad_link_up",
        "1 if the link to the peer, a site or a member stands.",
        _of_nodes(lambda peer: not peer.problem, lambda far: far.state in _LINKS_UP),
        labels=_OF_NODE,
    ),
    _lag("lag_records", "Changes that the other node has not confirmed."),
    _lag("lag_octets", "The size of the changes that the other node has not confirmed."),
    _lag("lag_seconds", "The age of the oldest change that the other node has not confirmed."),
    Measure(
        "mtad_unprotected_messages",
        "Changes that clients heard 250 to with one copy, and that the peer has not confirmed since.",
        _if_there("peer", _one(lambda s: s.unprotected_messages)),
    ),
    Measure(
        "mtad_witness_answers", "1 if the witness answers.", _if_there("witness", _one(lambda s: not s.witness.problem))
    ),
    Measure(
        "mtad_lease_seconds",
        "For which this node may deliver, by the witness.",
        _if_there("witness", _one(lambda s: s.lease_seconds)),
    ),
    Measure("mtad_queue_messages", "Messages in the queue.", _one(lambda s: s.queue.messages)),
    Measure(
        "mtad_queue_recipients", "Recipients in the queue that are not finished.", _one(lambda s: s.queue.recipients)
    ),
    Measure("mtad_queue_octets", "The size of the messages in the queue.", _one(lambda s: s.queue.octets)),
    Measure(
        "mtad_queue_oldest_seconds",
        "The age of the oldest message in the queue.",
        _one(lambda s: s.queue.oldest_seconds),
    ),
    Measure(
        "mtad_queue_full",
        "1 if the queue's file or its disk is full: what must be queued gets 452.",
        _one(lambda s: s.is_full),
    ),
    Measure(
        "mtad_damaged_messages",
        "Messages that are damaged on this disk and have not come back from the peer.",
        _one(lambda s: s.damaged_messages),
    ),
    Measure(
        "mtad_policy_loaded_timestamp_seconds",
        "When the policy in effect was read.",
        _one(lambda s: s.policy.loaded),
    ),
    Measure(
        "mtad_policy_broken",
        "1 if a policy that was to be loaded has mistakes: the old one stays in effect.",
        _one(lambda s: bool(s.policy.errors)),
    ),
    Measure(
        "mtad_policy_broken_timestamp_seconds",
        "Since when a policy that was to be loaded has mistakes; 0 if none has.",
        _one(lambda s: s.policy.broken),
    ),
)
