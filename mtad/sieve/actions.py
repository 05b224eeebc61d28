"""What a script may want done: values, carried out by the one who ran it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mtad.mail.deliver_by import DeliverBy
from mtad.mail.dsn_request import NO_REQUEST, Notify, RecipientRequest, Return
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.sieve.edits import AddField, DeleteFields, NewContent
from mtad.telemetry.events import Level
from mtad.telemetry.metrics import Metric


class Keep(Enum):
    """RFC 5228 §4.3: go on as without a script."""

    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class FileInto:
    """Put it into this mailbox; with `is_copy` (RFC 3894) besides what else happens to it."""

    mailbox: str
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send it on to this address; with `is_copy` (RFC 3894) besides what else happens to it.

    notify, ret, by   what is asked of it in place of what the sender has asked (RFC 6009)
    """

    address: str
    is_copy: bool = False
    notify: Notify = Notify.UNSAID
    ret: Return = Return.UNSAID
    by: DeliverBy | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """Nothing more to ask at this stage."""

    is_relay: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Discard:
    """Take it and drop it."""


@dataclass(frozen=True, slots=True)
class SetSender:
    """Give the message this reverse-path; '' is the null one. is_verp: for each recipient one that names it."""

    address: str
    is_verp: bool = False


@dataclass(frozen=True, slots=True)
class SetRecipient:
    """Send what is for the recipient to this address instead."""

    address: str


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """Send the message to this address too; of it the sender is told what `request` asks, of who is hidden nothing."""

    address: str
    request: RecipientRequest = NO_REQUEST
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Send nothing to the recipient."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Hold the answer back."""

    seconds: int


class Unless(Enum):
    """When a tempfail counts only at the end of the stage."""

    NOW = "now"
    IF_ACCEPT = ":ifaccept"  # instead of accepting or going on
    IF_REJECT = ":ifreject"  # instead of a permanent refusal


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse with this reply, permanent or transient."""

    reply: Reply
    is_disconnect: bool = False
    log: str = ""
    unless: Unless = Unless.NOW


@dataclass(frozen=True, slots=True)
class RouteTo:
    """Where the recipient's mail goes; `to_domain`: to the address of the recipient's domain, without its MX."""

    route: Route
    to_domain: bool = False


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Straight into the queue, where nothing is tried for so long, or (`on_transient`) only if the next hop refuses."""

    on_transient: bool = False
    after_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Prioritise:
    """Try it before what has a lower priority, and behind what has a higher one, where it comes to wait."""

    priority: int


@dataclass(frozen=True, slots=True)
class NameQueue:
    """Call the queue so in which it comes to wait: operators and the stage `queue` know it by that."""

    name: str


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again, to give up, and to tell the sender of the delay (0: never); None keeps what is configured.

    attempts_max   after how many it is given up
    """

    intervals_seconds: tuple[int, ...] | None = None
    expire_seconds: int | None = None
    warn_seconds: int | None = None
    attempts_max: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the message in the queue until an operator releases it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign the message by the key of this domain and selector; '' is the domain's first.

    fields   those that are signed beside From, in small letters; () are those that are signed as a rule
    """

    domain: str
    selector: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounce:
    """Give the recipient up: it is refused for good, by this reply of ours, which (`is_silent`) nobody is told."""

    reply: Reply
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Defer:
    """Try again, whatever the next hop said; after so many seconds, or None when the plan says so.

    reason   for the queue's listing, and who is told of the delay
    """

    seconds: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One line for the log."""

    text: str
    level: Level = "info"


@dataclass(frozen=True, slots=True)
class Measure:
    """Add to a counter, or set a gauge: the series that has these values of the metric's labels."""

    metric: Metric
    values: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Monitored:
    """What would have been done, but for a `monitor` of this label around it."""

    label: str
    action: Action


Action = (
    Keep
    | SetSender
    | SetRecipient
    | AddRecipient
    | DeleteRecipient
    | AddField
    | DeleteFields
    | NewContent
    | FileInto
    | Redirect
    | Accept
    | Discard
    | Delay
    | Refuse
    | RouteTo
    | Enqueue
    | Prioritise
    | NameQueue
    | Retry
    | Sign
    | Hold
    | Bounce
    | Defer
    | Log
    | Measure
    | Monitored
)

TOLD = (Log, Measure, Monitored)
"""What says something, and does nothing to mail."""
