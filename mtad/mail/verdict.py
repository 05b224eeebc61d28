"""What policy decided at a stage of a session."""

from __future__ import annotations

from dataclasses import dataclass

from mtad.mail.reply import Reply
from mtad.mail.route import Route


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """When to try again and when to give up; seconds."""

    intervals_seconds: tuple[int, ...] = (300, 900, 1800, 3600, 7200, 14400)  # the last one repeats
    expire_seconds: int = 432000  # RFC 5321 §4.5.4.1: four to five days


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of one stage.

    reply           None goes on; otherwise the refusal (4xx or 5xx) that the client gets
    is_disconnect   close the connection after the reply
    is_trusted      at connect: the client is a submitter of ours, not another MTA
    """

    reply: Reply | None = None
    is_disconnect: bool = False
    log: str = ""
    is_trusted: bool = False


@dataclass(frozen=True, slots=True)
class Disposition:
    """The answer of the deliver stage for one recipient."""

    route: Route
    retry: RetryPlan
    queue_on_transient: bool = False
    queue_at_once: bool = False


GO_ON = Verdict()
