"""Events that are counted as they are written: a closed list, so that no name and no label is a stranger's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mtad.telemetry.events import Events, Level, Value
from mtad.telemetry.metrics import Family, Kind, Metric, Sample
from mtad.telemetry.tally import OTHER, Tally

_SESSION_STAGES = ("connect", "ehlo", "auth", "mail", "rcpt", "data")
_STAGES = (*_SESSION_STAGES, "deliver", "queue")


@dataclass(frozen=True, slots=True)
class Count:
    """A counter of events. With a label, its value is the event's by `events`, or stands in its field of that name.

    events   by name; '' where the event says it itself
    values   that such a field may have; any other is OTHER
    """

    name: str
    text: str
    label: str
    events: Mapping[str, str]
    values: tuple[str, ...] = ()
    metric: Metric = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metric", Metric(self.name, Kind.COUNTER, (self.label,) if self.label else ()))

    def series(self) -> Iterator[tuple[str, ...]]:
        """Yield the labels of all series but OTHER's."""
        if not self.label:
            yield ()
        yield from ((value,) for value in self.values or self.events.values() if value)

    def values_of(self, event: str, fields: Mapping[str, Value]) -> tuple[str, ...]:
        """Return the labels that an event counts under."""
        if not self.label:
            return ()
        said = self.events[event] or fields.get(self.label)
        return (said if isinstance(said, str) and (said in self.values or not self.values) else OTHER,)


COUNTS = (
    Count(
        "mtad_messages_total",
        "Messages that clients have brought, by whether they heard 250.",
        "result",
        {"mail.accepted": "accepted", "mail.refused": "refused"},
    ),
    Count(
        "mtad_delivery_outcomes_total",
        "Answers of next hops for one recipient, at any attempt.",
        "result",
        {"delivery.outcome": ""},
        ("delivered", "delayed", "failed", "unknown"),
    ),
    Count(
        "mtad_reports_total",
        "Reports to senders (DSNs): those queued, and those that were not to be sent.",
        "result",
        {"dsn.queued": "queued", "dsn.withheld": "withheld"},
    ),
    Count(
        "mtad_retries_total",
        "Messages that clients brought again: answered from memory, or delivered anew in doubt.",
        "result",
        {"retry.answered": "answered", "retry.in_doubt": "in_doubt"},
    ),
    Count(
        "mtad_policy_refusals_total",
        "Refusals of the policy, by its stage.",
        "stage",
        {"policy.refused": ""},
        _SESSION_STAGES,
    ),
    Count(
        "mtad_recipients_discarded_total",
        "Recipients for whom the policy's stage deliver dropped the message.",
        "",
        {"recipient.discarded": ""},
    ),
    Count(
        "mtad_policy_faults_total",
        "Runs of the policy that ran into a limit or a fault, by its stage.",
        "stage",
        {"policy.fault": ""},
        _STAGES,
    ),
    Count(
        "mtad_authentications_total",
        "What clients that wanted to show who they are came to.",
        "result",
        {
            "auth.succeeded": "succeeded",
            "auth.failed": "failed",
            "auth.malformed": "malformed",
            "auth.unavailable": "unavailable",
        },
    ),
    Count(
        "mtad_sessions_limited_total",
        "Clients that were sent away, or told to wait, for what they use.",
        "limit",
        {"session.too_many": "sessions", "session.rate": "rate"},
    ),
    Count(
        "mtad_sessions_lost_total",
        "Sessions that ended without QUIT.",
        "how",
        {"session.timeout": "timeout", "session.dropped_in_data": "in_data", "session.lost": "lost"},
    ),
    Count(
        "mtad_queue_refusals_total",
        "Messages that could not be put into the queue: their clients heard 4xx.",
        "",
        {"queue.refused": ""},
    ),
    Count("mtad_role_changes_total", "Changes of this node's role.", "", {"replica.role": ""}),
    Count(
        "mtad_faults_total",
        "Faults of our own, by the event that the log has of each.",
        "event",
        {
            name: name
            for name in (
                "admin.fault",
                "claim.fault",
                "delivery.fault",
                "dsn.fault",
                "limits.fault",
                "memory.fault",
                "replica.fault",
                "runner.fault",
                "session.fault",
                "spool.fault",
            )
        },
    ),
)
_BY_EVENT = {event: count for count in COUNTS for event in count.events}


class CountedEvents:
    """Writes events through, and counts those that are on the list, whatever else is counted."""

    def __init__(self, events: Events, tally: Tally) -> None:
        self._events = events
        self._tally = tally
        for count in COUNTS:
            tally.expect(count.metric)

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Write and count one event."""
        self._events.emit(name, level, **fields)
        count = _BY_EVENT.get(name)
        if count is not None:
            self._tally.tell(count.metric, count.values_of(name, fields), 1)


def with_zeros(families: list[Family]) -> list[Family]:
    """Return families with every series of the list, also those of events that never came, and what each means."""
    found = {family.metric.name: family for family in families}
    filled = []
    for count in COUNTS:
        counted = found.pop(count.name, None)
        numbers = dict.fromkeys(count.series(), 0.0) | dict(counted.samples if counted is not None else ())
        filled.append(Family(count.metric, [Sample(*one) for one in numbers.items()], count.text))
    return [*filled, *found.values()]
