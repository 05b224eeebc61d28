"""What policy decided at a stage of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest
from mtad.mail.notes import Noted
from mtad.mail.outcome import Outcome
from mtad.mail.reply import Reply
from mtad.mail.route import Route


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """When to try again, when to give up, and when to tell the sender that it takes long; seconds.

    route       of the attempts that follow, whatever the deliver stage says; None: as before
    is_silent   the sender is not told that it is given up
    """

    intervals_seconds: tuple[int, ...] = (300, 900, 1800, 3600, 7200, 14400)  # the last one repeats
    expire_seconds: int = 432000  # RFC 5321 §4.5.4.1: four to five days
    warn_seconds: int = 14400  # 0 is never
    attempts_max: int = 0  # those that the client waited for too, but no fault of ours; 0: as many as there is time for
    route: Route | None = None
    is_silent: bool = False

    @property
    def first_seconds(self) -> int:
        """After how long it is tried again that was tried while it came: the sender is warned and told in time."""
        return min(self.intervals_seconds[0], self.warn_seconds or self.expire_seconds, self.expire_seconds)


@dataclass(frozen=True, slots=True)
class Signing:
    """The key that a message is to be signed by; without a selector the first one of the domain.

    fields   those that are signed beside From, in small letters; () are those that are signed as a rule
    """

    domain: str
    selector: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Addition:
    """A recipient that policy adds.

    request         what is asked of it; where it is redirected to, what says nothing leaves what the sender has asked
    is_redirected   who was named is redirected to it, and reports speak of that one
    is_hidden       neither the sender nor the client hears of it, whoever gets nothing
    """

    address: str
    request: RecipientRequest = NO_REQUEST
    is_redirected: bool = False
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What is to be known as seen when its message is accepted (RFC 7352).

    counter   names it, whatever it is
    is_last   remembered so long since it was last seen, not since it was first seen
    """

    counter: bytes
    seconds: int
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of one stage.

    reply           None goes on; otherwise the refusal (4xx or 5xx) that the client gets
    is_disconnect   close the connection after the reply
    is_trusted      policy said accept :relay: at connect and auth the client is a submitter of ours from here on, at
                    rcpt it may send to this recipient
    is_accepted     policy said accept, and did not merely go on
    is_discarded    at rcpt or data: nothing goes to who was named; answer 250 and drop it where nobody is added
    text            at accept: what the positive reply says; '' is the server's own text
    delay_seconds   hold the answer back
    each            at data: recipients that are refused or dropped while the message goes on to the others
    added           at rcpt or data: who gets the message too, or instead of those that are dropped
    reverse_path    at mail: the one that the message has from here on; None: the client's
    is_verp         each recipient is sent the message from a path that is made of it, and names the recipient
    recipient       at rcpt: the one that gets the mail instead; '' is the one that the client has named
    content         at data: the message as policy has changed it; None: as it came
    held            at data: why the message stays in the queue until an operator releases it; '' is no reason to
    queue_at_once   at data: no attempt while the client waits
    queue_seconds   at data: nor for so long behind that
    priority        at data: of the message, where it comes to wait in the queue; None: as its recipients have it
    queue_name      at data: of the queue in which it comes to wait; '': as its recipients have it
    signing         at data: by which key the message is signed; None: as it is without policy's word
    seen            at data: what is to be remembered if the message is accepted
    noted           what is noted for the stages behind, whatever the answer is; None: nothing more than before
    """

    reply: Reply | None = None
    is_disconnect: bool = False
    log: str = ""
    is_trusted: bool = False
    is_accepted: bool = False
    is_discarded: bool = False
    text: str = ""
    delay_seconds: int = 0
    each: Mapping[str, Verdict] = field(default_factory=dict)
    added: tuple[Addition, ...] = ()
    reverse_path: str | None = None
    is_verp: bool = False
    recipient: str = ""
    content: bytes | None = None
    held: str = ""
    queue_at_once: bool = False
    queue_seconds: int = 0
    priority: int | None = None
    queue_name: str = ""
    signing: Signing | None = None
    seen: tuple[Seen, ...] = ()
    noted: Noted | None = None


@dataclass(frozen=True, slots=True)
class Disposition:
    """The answer of the deliver stage for one recipient.

    queue_at_once   no attempt while the client waits
    queue_seconds   nor for so long behind that
    priority        what the message has at least, where it comes to wait in the queue
    queue_name      of the queue in which the message comes to wait
    signing         a key that the message is signed by, where the stage data names none
    is_discarded    nothing goes to it, and nobody is told
    is_fault        the policy failed: `route` is not what it would have said. Keep the mail, attempt nothing, ask
                    again at the next attempt
    """

    route: Route
    retry: RetryPlan
    queue_on_transient: bool = False
    queue_at_once: bool = False
    queue_seconds: int = 0
    priority: int = 0
    queue_name: str = ""
    signing: Signing | None = None
    is_discarded: bool = False
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """What the queue stage decides on: one recipient that an attempt from the queue has not delivered to.

    attempts_count   this one included, unless a lookup failed in it; what was tried while the client waited counts
                     too, and what a fault of ours or a failed lookup has ended does not
    """

    outcome: Outcome
    retry: RetryPlan
    attempts_count: int
    age_seconds: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer of the queue stage: what the attempt counts as, and when there is another one."""

    outcome: Outcome
    retry: RetryPlan


GO_ON = Verdict()
