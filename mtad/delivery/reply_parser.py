"""Replies of a next hop: octets in, `Reply` values out (RFC 5321 §4.2).

Liberal in form (a bare LF ends a line, a multiline reply may change its code: the last one counts), strict in size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mtad.mail.reply import Reply

LINE_OCTETS_MAX = 4096  # RFC 5321 §4.5.3.1.5 says 512; longer ones exist
REPLY_OCTETS_MAX = 65536
REPLY_LINES_MAX = 512

_LINE = re.compile(rb"([1-9][0-9][0-9])(?:([ \-])([^\r\n]*))?\r*\Z")


@dataclass(frozen=True, slots=True)
class Broken:
    """What the peer sent is no SMTP reply, or too much of one; the text is for our log."""

    why: str


_single = lru_cache(maxsize=256)(Reply.parse)  # most replies are the same few, one line each


class ReplyParser:
    """Splits one connection's incoming octets into replies."""

    def __init__(self) -> None:
        self._partial = b""
        self._lines: list[str] = []
        self._octets_count = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing of a further reply has come yet."""
        return not self._partial and not self._lines

    def feed(self, octets: bytes) -> list[Reply | Broken]:
        """Take octets; return the replies that are now whole. After a Broken nothing more may be fed."""
        *lines, self._partial = (self._partial + octets).split(b"\n")
        found: list[Reply | Broken] = []
        for line in lines:
            answer = self._line(line)
            if answer is not None:
                found.append(answer)
                if isinstance(answer, Broken):
                    return found
        if len(self._partial) > LINE_OCTETS_MAX:
            found.append(Broken("reply line too long"))
        return found

    def _line(self, line: bytes) -> Reply | Broken | None:
        self._octets_count += len(line) + 1
        if len(line) > LINE_OCTETS_MAX:
            return Broken("reply line too long")
        if self._octets_count > REPLY_OCTETS_MAX or len(self._lines) == REPLY_LINES_MAX:
            return Broken("reply too long")
        found = _LINE.match(line)
        if found is None:
            return Broken("not a reply")
        self._lines.append((found[3] or b"").decode("utf-8", "replace"))
        if found[2] == b"-":
            return None
        lines = tuple(self._lines)
        self._lines = []
        self._octets_count = 0
        code = int(found[1])
        return _single(code, lines) if len(lines) == 1 else Reply.parse(code, lines)
