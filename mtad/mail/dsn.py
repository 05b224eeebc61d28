"""Delivery status notifications: what the sender of a message is told, and what not.

RFC 2852 (what is late), RFC 3461 §6, RFC 3464, RFC 6522, RFC 6533.

A DSN goes from the null reverse-path to the reverse-path of the message that it is about, so none is ever sent on a
DSN. One DSN speaks of one event alone: failure, delay or success.
"""

from __future__ import annotations

import hashlib
import ipaddress
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum

from mtad.mail.deliver_by import DeliverBy
from mtad.mail.dsn_request import (
    NO_MESSAGE_REQUEST,
    NO_REQUEST,
    MessageRequest,
    Notify,
    RecipientRequest,
    Requests,
    Return,
    utf8_xtext,
)
from mtad.mail.outcome import Outcome, Result, Success
from mtad.mail.queue_id import QueueId
from mtad.mail.utf8 import ascii_address
from mtad.mail.verp import verp_path

LINE_LENGTH_MAX = 240  # characters of what others said; RFC 5322 §2.1.1 allows 998 octets
VERP_REPORTS_MAX = 100  # of one event, each on one recipient; more recipients share one
RETURNED_HEADER_OCTETS_MAX = 64 * 1024
RETURNED_CONTENT_OCTETS_MAX = 1024 * 1024  # of a larger message the header section is returned, whatever was asked


class Action(StrEnum):
    """What became of a recipient (RFC 3464 §2.3.3). Nothing here expands a recipient into several."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    DELIVERED = "delivered"


_SUCCESSES: Mapping[Success, Action] = {
    Success.RELAYED: Action.RELAYED,
    Success.TRACED: Action.RELAYED,
    Success.DELIVERED: Action.DELIVERED,
}
EVENTS: Mapping[Action, Notify] = {
    Action.FAILED: Notify.FAILURE,
    Action.DELAYED: Notify.DELAY,
    Action.RELAYED: Notify.SUCCESS,
    Action.DELIVERED: Notify.SUCCESS,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a DSN says of one recipient, and the last that was heard of it."""

    address: str
    action: Action
    outcome: Outcome
    is_expired: bool = False  # given up after too long, rather than refused
    is_in_doubt: bool = False  # an attempt ended between its final dot and the reply: it may have arrived
    retry_until_ms: int = 0  # of a delay
    is_silent: bool = False  # policy wants nobody to be told
    is_late: bool = False  # it was to be delivered by now

    @property
    def event(self) -> Notify:
        """What a sender asks for who wants to hear this."""
        return EVENTS[self.action]

    def is_wanted(self, request: RecipientRequest) -> bool:
        """Tell whether the sender wants to hear it; of a relay that a time was set for, unless it said NEVER."""
        return request.hears_of_relays if self.outcome.success is Success.TRACED else request.wants(self.event)


@dataclass(frozen=True, slots=True)
class Reported:
    """The message that a DSN is about, without its content.

    is_sender_known   the reverse-path is surely its sender's: it was verified, or a submitter gave it
    is_verp           its recipients were sent it each from a reverse-path that names it
    """

    queue_id: QueueId
    reverse_path: str
    arrival_ms: int
    is_sender_known: bool
    is_utf8: bool = False
    request: MessageRequest = NO_MESSAGE_REQUEST
    requests: Requests = field(default_factory=dict)
    is_verp: bool = False

    def why_untold(self, notice: Notice, *, is_queued: bool) -> str:
        """Return why the sender is not told; '' where it is.

        is_queued   we took the message over: its failure is told to whoever it names as its sender, for nobody else
                    will tell (RFC 5321 §6.1)
        """
        if not self.reverse_path:
            return "null reverse-path"
        if notice.is_silent:
            return "silenced by policy"
        if not notice.is_wanted(self.requests.get(notice.address, NO_REQUEST)):
            return "not asked for"
        if self.is_sender_known or (is_queued and notice.action is Action.FAILED):
            return ""
        return "sender is not verified"


@dataclass(frozen=True, slots=True)
class Report:
    """All that a DSN says. `notices` are of one event; `content` is the message; `wall_ms` is now."""

    reporting_mta: str
    of: Reported
    notices: tuple[Notice, ...]
    content: bytes
    wall_ms: int

    @property
    def event(self) -> Notify:
        """What it tells of."""
        return self.notices[0].event

    @property
    def is_of_one(self) -> bool:
        """Tell whether it goes to a reverse-path that names the recipient."""
        return self.of.is_verp and len(self.notices) == 1

    @property
    def to(self) -> str:
        """Who is told."""
        return verp_path(self.of.reverse_path, self.notices[0].address) if self.is_of_one else self.of.reverse_path


def notice_of(address: str, outcome: Outcome, request: RecipientRequest) -> Notice | None:
    """Return the news that an outcome is by itself: a failure, or a success that is asked for and ours to tell."""
    if outcome.result is Result.FAILED:
        return Notice(address, Action.FAILED, outcome)
    if outcome.result is Result.DELIVERED and outcome.success:
        notice = Notice(address, _SUCCESSES[outcome.success], outcome)
        return notice if notice.is_wanted(request) else None
    return None


def by_event(notices: Sequence[Notice], *, is_verp: bool = False) -> tuple[tuple[Notice, ...], ...]:
    """Return the notices that share a DSN together, failures first.

    is_verp   each has its own, to the reverse-path that names its recipient, unless they are too many
    """
    events = (Notify.FAILURE, Notify.DELAY, Notify.SUCCESS)
    groups = [tuple(notice for notice in notices if notice.event is event) for event in events]
    if is_verp:
        groups = [part for group in groups for part in _apart(group)]
    return tuple(group for group in groups if group)


def _apart(group: tuple[Notice, ...]) -> Sequence[tuple[Notice, ...]]:
    return [(notice,) for notice in group] if len(group) <= VERP_REPORTS_MAX else [group]


def message_id(report: Report) -> str:
    """Return the Message-ID: the same for the same news, so that two nodes' DSNs are recognisable as one."""
    digest = hashlib.blake2b(digest_size=12)
    kind = () if report.event is Notify.FAILURE else (report.event.name or "",)
    late = ("late",) if any(notice.is_late for notice in report.notices) else ()  # its delay may have been told before
    for piece in (report.of.queue_id, *kind, *late, *sorted(notice.address for notice in report.notices)):
        digest.update(piece.encode("utf-8", "surrogateescape") + b"\0")
    return f"<dsn-{digest.hexdigest()}@{report.reporting_mta}>"


def compose(report: Report) -> bytes:
    """Return the content of a DSN, lines ended by CRLF, unsigned.

    Its envelope is the null reverse-path and `report.to` as the one recipient (RFC 3461 §6.1).
    Errors: ValueError when there is nobody to tell, or nothing to tell.
    """
    if not report.of.reverse_path or not report.notices:
        raise ValueError("a DSN needs a reverse-path and at least one notice")
    identifier = message_id(report)
    boundary = "=_" + identifier[5:29]
    returned = _returned(report)
    is_global = report.of.is_utf8 and not (returned.octets.isascii() and _are_ascii(report))
    parts = (
        _part("text/plain", _human_part(report, returned, is_global=is_global)),
        _part("message/global-delivery-status" if is_global else "message/delivery-status", _status(report, is_global)),
        _part(returned.media_type(is_global=is_global), returned.octets),
    )
    head = _head(report, identifier, boundary, is_8bit=not all(part.isascii() for part in parts))
    opening = f"\r\n--{boundary}\r\n".encode("ascii")
    return b"".join((head, *(opening + part for part in parts), f"\r\n--{boundary}--\r\n".encode("ascii")))


_SUBJECTS: Mapping[Notify, str] = {
    Notify.FAILURE: "Undelivered mail returned to sender",
    Notify.DELAY: "Delayed mail: it is still being tried",
    Notify.SUCCESS: "Mail was delivered, as you asked to be told",
}


def _head(report: Report, identifier: str, boundary: str, *, is_8bit: bool) -> bytes:
    """Return the header section, and what is shown by who knows no MIME."""
    lines = [
        f"Date: {_date(report.wall_ms)}",
        f"From: Mail Delivery System <MAILER-DAEMON@{report.reporting_mta}>",
        f"To: <{ascii_address(report.to) or report.to}>",
        f"Subject: {_SUBJECTS[report.event]}",
        f"Message-ID: {identifier}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        *(["Content-Transfer-Encoding: 8bit"] if is_8bit else []),
        "",
        "This is a MIME-encapsulated message.",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _part(media_type: str, octets: bytes) -> bytes:
    """Return a part of the DSN; one that is not ASCII says so."""
    is_ascii = octets.isascii()
    charset = {"text/plain": "us-ascii" if is_ascii else "utf-8", "text/rfc822-headers": "" if is_ascii else "utf-8"}
    parameter = f"; charset={name}" if (name := charset.get(media_type)) else ""
    encoding = "" if is_ascii else "Content-Transfer-Encoding: 8bit\r\n"
    return f"Content-Type: {media_type}{parameter}\r\n{encoding}\r\n".encode("ascii") + octets


# --- for people ---------------------------------------------------------------------------------------------

_OPENINGS: Mapping[Notify, tuple[str, ...]] = {
    Notify.FAILURE: ("Your message could not be delivered to the recipients below. It will not be tried again.",),
    Notify.DELAY: (
        "Your message has not been delivered to the recipients below yet. It is still being tried: there is nothing",
        "that you need to do, and no need to send it again.",
    ),
    Notify.SUCCESS: ("You asked to be told when your message has been delivered to the recipients below.",),
}
_LATE: Mapping[Action, str] = {
    Action.FAILED: "      given up: it was to be delivered by now. The last answer was",
    Action.DELAYED: "      was to be delivered by now",
}
_EXPLANATIONS: Mapping[Success, str] = {
    Success.RELAYED: "      handed over to a mail system that does not report deliveries: you will hear no more",
    Success.TRACED: "      handed over to another mail system, and when that delivers it is not known here",
    Success.DELIVERED: "      delivered to the mailbox",
}


def _human_part(report: Report, returned: _Returned, *, is_global: bool) -> bytes:
    shown = _one_line if is_global else _ascii
    lines = [f"This is the mail system at {report.reporting_mta}.", "", *_OPENINGS[report.event], ""]
    for notice in report.notices:
        lines.append(f"  <{shown(notice.address)}>")
        if notice.is_late:
            lines.append(_LATE[notice.action])
        elif notice.is_expired:
            lines.append("      given up: it was tried for as long as this system tries. The last answer was")
        if notice.is_in_doubt:
            lines.append("      (it may have arrived all the same: an attempt broke off before it was answered)")
        if notice.outcome.success in _EXPLANATIONS:
            lines.append(_EXPLANATIONS[notice.outcome.success])
        if notice.retry_until_ms:
            lines.append(f"      will be tried until {_date(notice.retry_until_ms)}. The last answer was")
        said = ": " if notice.outcome.is_ours else " answered: "
        where = shown(notice.outcome.next_hop) + said if notice.outcome.next_hop else ""
        lines += [f"      {where}{shown(str(notice.outcome.reply))}", ""]
    what = "Your message" if returned.is_whole else "The header of your message"
    lines.append(f"{what} follows. Its id here was {report.of.queue_id}.")
    return _octets(lines)


# --- for programs -------------------------------------------------------------------------------------------


def _status(report: Report, is_global: bool) -> bytes:
    """Return the body of message/delivery-status (RFC 3464 §2.1), or of its global form (RFC 6533 §4)."""
    lines = [
        *([f"Original-Envelope-Id: {report.of.request.envid}"] if report.of.request.envid else []),
        f"Reporting-MTA: dns; {report.reporting_mta}",
        f"X-Mtad-Queue-ID: {report.of.queue_id}",
        f"Arrival-Date: {_date(report.of.arrival_ms)}",
        *([f"Deliver-By-Date: {_date(by.until_ms)}"] if (by := _time_of(report)) is not None else []),
    ]
    for notice in report.notices:
        lines += ["", *_recipient_fields(report, notice, is_global=is_global)]
    return _octets(lines)


def _time_of(report: Report) -> DeliverBy | None:
    """Return by when it was to be delivered to all that the DSN speaks of (RFC 2852); None: not said, or several."""
    requests = report.of.requests
    found = {requests.get(one.address, NO_REQUEST).time_in(report.of.request) for one in report.notices}
    return found.pop() if len(found) == 1 else None


def _recipient_fields(report: Report, notice: Notice, *, is_global: bool) -> list[str]:
    """Return the fields of one recipient (RFC 3464 §2.3)."""
    original = report.of.requests.get(notice.address, NO_REQUEST).original
    next_hop = notice.outcome.next_hop
    shown = _one_line if is_global else _ascii
    fields = []
    if original:
        fields.append(f"Original-Recipient: {_typed_address(*_type_and_address(original), is_global=is_global)}")
    kind = "rfc822" if notice.address.isascii() else "utf-8"
    fields += [
        f"Final-Recipient: {_typed_address(kind, notice.address, is_global=is_global)}",
        f"Action: {notice.action}",
        f"Status: {_status_code(notice)}",
    ]
    if next_hop and not next_hop.startswith("unix:"):
        fields.append(f"Remote-MTA: dns; {_mta_name(_ascii(next_hop))}")
    issuer = "X-mtad" if notice.outcome.is_ours or not next_hop else "smtp"  # RFC 3464 §2.3.6: who issued the code
    fields.append(f"Diagnostic-Code: {issuer}; {shown(str(notice.outcome.reply))}")
    if notice.retry_until_ms:
        fields.append(f"Will-Retry-Until: {_date(notice.retry_until_ms)}")
    return fields


def _type_and_address(original: str) -> tuple[str, str]:
    kind, _, address = original.partition(";")
    return kind, address


def _typed_address(kind: str, address: str, *, is_global: bool) -> str:
    """Return an address with its type; what is not ASCII stays as it is in the global form alone (RFC 6533 §3)."""
    if kind.lower() != "utf-8":
        return f"{kind}; {_ascii(address)}"
    return f"{kind}; {_one_line(address) if is_global else utf8_xtext(_one_line(address))}"


def _mta_name(host: str) -> str:
    """Return a host as RFC 3464 §2.1.2 names it: an address stands in brackets (RFC 5321 §4.1.3)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


_CLASSES: Mapping[Notify, str] = {Notify.FAILURE: "5", Notify.DELAY: "4", Notify.SUCCESS: "2"}


def _status_code(notice: Notice) -> str:
    """Return the status code of RFC 3463 for one recipient, of the class that the event has."""
    digit = _CLASSES[notice.event]
    if notice.is_expired or notice.is_late:
        return f"{digit}.4.7"  # RFC 3463 §3.5: delivery time expired
    enhanced = notice.outcome.reply.enhanced
    return enhanced if enhanced.startswith(f"{digit}.") else f"{digit}.0.0"


# --- what goes back -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Returned:
    """What is returned of the message: all of it, or its header section."""

    octets: bytes
    is_whole: bool

    def media_type(self, *, is_global: bool) -> str:
        if self.is_whole:
            return "message/global" if is_global else "message/rfc822"
        return "message/global-headers" if is_global else "text/rfc822-headers"


def _returned(report: Report) -> _Returned:
    """Return the whole message where it failed and that was asked for (RFC 3461 §4.3), unless it is too large.

    A report on one recipient of several never has it: there may be many, and all are committed at once.
    """
    is_asked = report.of.request.ret is Return.FULL and not report.is_of_one
    is_wanted = is_asked and report.event is Notify.FAILURE
    if is_wanted and len(report.content) <= RETURNED_CONTENT_OCTETS_MAX and _is_lines(report.content):
        return _Returned(report.content, is_whole=True)
    return _Returned(_header_section(report.content), is_whole=False)


def _is_lines(content: bytes) -> bool:
    """Tell whether the content may stand in a message: nothing but whole lines, and no NUL."""
    lines_count = content.count(b"\r\n")
    has_lines = content.count(b"\n") == content.count(b"\r") == lines_count
    return has_lines and b"\0" not in content and content.endswith(b"\r\n")


def _header_section(content: bytes) -> bytes:
    """Return the header section, cut at a whole line when it is very large."""
    end = content.find(b"\r\n\r\n")
    header = content if end < 0 else content[: end + 2]
    if len(header) > RETURNED_HEADER_OCTETS_MAX:
        header = header[: header.rfind(b"\r\n", 0, RETURNED_HEADER_OCTETS_MAX) + 2]
    return header if header.endswith(b"\r\n") else header + b"\r\n"


# --- characters ---------------------------------------------------------------------------------------------


def _are_ascii(report: Report) -> bool:
    """Tell whether everybody who is named has an address in ASCII."""
    originals = (request.original for request in report.of.requests.values())
    return all(text.isascii() for text in (report.of.reverse_path, *(n.address for n in report.notices), *originals))


def _octets(lines: Sequence[str]) -> bytes:
    folded = (piece for line in lines for piece in (_folded(line) if len(line) > LINE_LENGTH_MAX else (line,)))
    return ("\r\n".join(folded) + "\r\n").encode("utf-8", "replace")


def _folded(line: str) -> Sequence[str]:
    """Return a long line as several; the later ones are indented, which continues a field and shows to people."""
    indent = " " * (len(line) - len(line.lstrip(" ")) + 1)
    return textwrap.wrap(line, LINE_LENGTH_MAX, subsequent_indent=indent, break_on_hyphens=False)


def _one_line(text: str) -> str:
    return "".join(" " if character < " " or "\x7f" <= character <= "\x9f" else character for character in text)


def _ascii(text: str) -> str:
    return _one_line(text).encode("ascii", "replace").decode("ascii")


def _date(milliseconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(milliseconds / 1000, UTC))
