"""Delivery status notifications: what the sender of a message is told (RFC 3464, RFC 6522, RFC 3461 §6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from mtad.mail.outcome import Outcome
from mtad.mail.queue_id import QueueId
from mtad.mail.reply import Reply

RETURNED_HEADER_OCTETS_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """A recipient that will not get the message, and the last that was heard of it."""

    address: str
    outcome: Outcome
    is_expired: bool = False  # given up after too long, rather than refused
    is_in_doubt: bool = False  # an attempt ended between its final dot and the reply: it may have arrived


@dataclass(frozen=True, slots=True)
class Report:
    """All that a failure DSN says.

    content    the message it reports on; only its header section is returned
    wall_ms    now, UTC milliseconds
    """

    reporting_mta: str
    queue_id: QueueId
    reverse_path: str
    arrival_ms: int
    recipients: tuple[FailedRecipient, ...]
    content: bytes
    wall_ms: int


def _date(milliseconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _status(failed: FailedRecipient) -> str:
    """Return the status code of RFC 3463 for one recipient; a failure is never reported with a 4."""
    enhanced = failed.outcome.reply.enhanced
    if failed.is_expired:
        return "5.4.7"  # RFC 3463 §3.5: delivery time expired
    return enhanced if enhanced.startswith("5.") else "5.0.0"


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii").replace("\r", " ").replace("\n", " ")


def _diagnostic(reply: Reply) -> str:
    return _ascii(str(reply))


def message_id(report: Report) -> str:
    """Return the Message-ID: the same for the same failure, so that two nodes' DSNs are recognisable as one."""
    digest = hashlib.blake2b(digest_size=12)
    for piece in (report.queue_id, *sorted(failed.address for failed in report.recipients)):
        digest.update(piece.encode("utf-8", "surrogateescape") + b"\0")
    return f"<dsn-{digest.hexdigest()}@{report.reporting_mta}>"


def _human_part(report: Report) -> str:
    lines = [
        f"This is the mail system at {report.reporting_mta}.",
        "",
        "Your message could not be delivered to the recipients below. It will not be tried again.",
        "",
    ]
    for failed in report.recipients:
        lines.append(f"  <{_ascii(failed.address)}>")
        if failed.is_expired:
            lines.append("      given up: it was tried for as long as this system tries. The last answer was")
        if failed.is_in_doubt:
            lines.append("      (it may have arrived all the same: an attempt broke off before it was answered)")
        where = f"{_ascii(failed.outcome.next_hop)} answered: " if failed.outcome.next_hop else ""
        lines.append(f"      {where}{_diagnostic(failed.outcome.reply)}")
        lines.append("")
    lines.append(f"The header of your message follows. Its id here was {report.queue_id}.")
    return "\r\n".join(lines) + "\r\n"


def _machine_part(report: Report) -> str:
    blocks = [
        f"Reporting-MTA: dns; {report.reporting_mta}\r\n"
        f"X-Mtad-Queue-ID: {report.queue_id}\r\n"
        f"Arrival-Date: {_date(report.arrival_ms)}\r\n"
    ]
    for failed in report.recipients:
        lines = [
            f"Final-Recipient: rfc822; {_ascii(failed.address)}",
            "Action: failed",
            f"Status: {_status(failed)}",
        ]
        if failed.outcome.next_hop and not failed.outcome.next_hop.startswith("unix:"):
            lines.append(f"Remote-MTA: dns; {_ascii(failed.outcome.next_hop)}")
        lines.append(f"Diagnostic-Code: smtp; {_diagnostic(failed.outcome.reply)}")
        blocks.append("\r\n".join(lines) + "\r\n")
    return "\r\n".join(blocks)


def _returned_header(content: bytes) -> bytes:
    """Return the header section, cut at a whole line when it is very large."""
    end = content.find(b"\r\n\r\n")
    header = content if end < 0 else content[: end + 2]
    if len(header) > RETURNED_HEADER_OCTETS_MAX:
        header = header[: header.rfind(b"\r\n", 0, RETURNED_HEADER_OCTETS_MAX) + 2]
    return header if header.endswith(b"\r\n") else header + b"\r\n"


def compose(report: Report) -> bytes:
    """Return the content of a failure DSN, lines ended by CRLF, unsigned.

    Its envelope is the null reverse-path and `report.reverse_path` as the one recipient (RFC 3461 §6.1).
    Errors: ValueError when there is nobody to tell, or nothing to tell.
    """
    if not report.reverse_path or not report.recipients:
        raise ValueError("a DSN needs a reverse-path and at least one failed recipient")
    identifier = message_id(report)
    boundary = "=_" + identifier[5:29]
    returned = _returned_header(report.content)
    is_8bit = not returned.isascii()
    head = "\r\n".join(
        [
            f"Date: {_date(report.wall_ms)}",
            f"From: Mail Delivery System <MAILER-DAEMON@{report.reporting_mta}>",
            f"To: <{report.reverse_path}>",
            "Subject: Undelivered mail returned to sender",
            f"Message-ID: {identifier}",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
            *(["Content-Transfer-Encoding: 8bit"] if is_8bit else []),
            "",
            "This is a MIME-encapsulated message.",
            "",
            f"--{boundary}",
            "Content-Type: text/plain; charset=us-ascii",
            "",
            _human_part(report),
            f"--{boundary}",
            "Content-Type: message/delivery-status",
            "",
            _machine_part(report),
            f"--{boundary}",
            "Content-Type: text/rfc822-headers" + ("; charset=utf-8" if is_8bit else ""),
            *(["Content-Transfer-Encoding: 8bit"] if is_8bit else []),
            "",
            "",
        ]
    )
    return head.encode("utf-8", "surrogateescape") + returned + f"\r\n--{boundary}--\r\n".encode("ascii")
