"""Octets to command lines and to contents, in whatever pieces they come (RFC 5321 §2.3.8, §4.1.1.4, §4.5.2).

Pure: no I/O. Only CRLF ends a command, and only CRLF.CRLF ends the data. A line feed alone ends a line that is
refused, so that a client that knows no CRLF hears of it; in a content a bare CR or LF spoils the message
(CVE-2023-51764), and so does NUL, which next hops cut lines at.
"""

from __future__ import annotations

from enum import StrEnum

_END = b"\r\n.\r\n"
_OVERLAP = len(_END) - 1


class BadLine(StrEnum):
    """Why a command line is none."""

    TOO_LONG = "too long"
    BARE = "bare"  # a CR without LF, or an LF without CR


class CommandLines:
    """Cuts what the client sends into command lines; keeps at most `octets_max` of an unfinished one."""

    __slots__ = ("_at", "_is_too_long", "_octets", "_octets_max")

    def __init__(self, octets_max: int) -> None:
        self._octets_max = octets_max
        self._octets = b""
        self._at = 0
        self._is_too_long = False

    def feed(self, octets: bytes) -> None:
        """Take what came next."""
        self._octets = self._octets[self._at :] + octets if self._at < len(self._octets) else octets
        self._at = 0

    def next(self) -> bytes | BadLine | None:
        """Return the next line without its CRLF, or what is wrong with it; None when it is not complete yet."""
        end = self._octets.find(b"\n", self._at)
        if end < 0:
            if len(self._octets) - self._at > self._octets_max:
                self._is_too_long = True
                self._octets, self._at = b"", 0
            return None
        line = self._octets[self._at : end]
        self._at = end + 1
        if self._is_too_long or len(line) >= self._octets_max:
            self._is_too_long = False
            return BadLine.TOO_LONG
        if line.find(b"\r") != len(line) - 1 or not line:
            return BadLine.BARE
        return line[:-1]

    def take(self) -> bytes:
        """Return what is left, and forget it: the client has sent it after the last line that `next` returned."""
        rest = self._octets[self._at :]
        self._octets, self._at = b"", 0
        return rest

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._octets)


class OctetBudget:
    """The octets of content that a process holds at one time, shared by its sessions."""

    __slots__ = ("_octets_max", "octets")

    def __init__(self, octets_max: int) -> None:
        self._octets_max = octets_max
        self.octets = 0

    def has(self, octets: int) -> bool:
        """Tell whether that many more fit."""
        return self.octets + octets <= self._octets_max

    def take(self, octets: int) -> bool:
        """Take that many if they fit."""
        if not self.has(octets):
            return False
        self.octets += octets
        return True

    def keep(self, octets: int) -> None:
        """Take octets that are held already and stay for longer than their session."""
        self.octets += octets

    def give_back(self, octets: int) -> None:
        """Return what was taken."""
        self.octets -= octets


class Spoilt(StrEnum):
    """Why a content is refused, known at the end of the data."""

    TOO_LARGE = "too large"
    NO_ROOM = "no room"
    BARE = "bare"
    NUL = "nul"
    LINE_TOO_LONG = "line too long"


class ContentReader:
    """Collects one content up to the end of the data; keeps nothing more once it is known to be refused."""

    __slots__ = ("_budget", "_held", "_kept", "_line_octets_max", "_seen", "_size_octets_max", "_spoilt", "_tail")

    def __init__(self, budget: OctetBudget, *, size_octets_max: int, line_octets_max: int) -> None:
        self._budget = budget
        self._size_octets_max = size_octets_max
        self._line_octets_max = line_octets_max
        self._kept = bytearray()
        self._held = 0
        self._seen = 0
        self._tail = b"\r\n"  # the end of the DATA command's line: a content may be empty
        self._spoilt: Spoilt | None = None

    def feed(self, octets: bytes) -> bytes | None:
        """Take what came next; return what follows the end of the data, or None when the end has not come."""
        window = self._tail + octets
        at = window.find(_END)
        if at < 0:
            self._tail = window[-_OVERLAP:]
            self._keep(octets)
            return None
        content_octets = self._seen - len(self._tail) + at + len(b"\r\n")
        if content_octets > self._seen:
            self._keep(octets[: content_octets - self._seen])
        else:
            del self._kept[max(content_octets, 0) :]
        return window[at + len(_END) :]

    def _keep(self, octets: bytes) -> None:
        self._seen += len(octets)
        if self._spoilt is not None:
            return
        if self._seen > self._size_octets_max + _OVERLAP:
            self._spoil(Spoilt.TOO_LARGE)
        elif not self._budget.take(len(octets)):
            self._spoil(Spoilt.NO_ROOM)
        else:
            self._held += len(octets)
            self._kept += octets

    def _spoil(self, why: Spoilt) -> None:
        self._spoilt = why
        self._kept.clear()
        self.release()

    @property
    def octets_count(self) -> int:
        """How many octets the client has sent, whether they were kept or not."""
        return self._seen

    def finish(self) -> bytes | Spoilt:
        """Return the content without the dots that the client has put before lines, or why it is refused."""
        if self._spoilt is not None:
            return self._spoilt
        content = bytes(self._kept)
        self._kept.clear()
        if content.startswith(b"."):
            content = content[1:]
        if b"\r\n." in content:
            content = content.replace(b"\r\n.", b"\r\n")
        if len(content) > self._size_octets_max:
            return Spoilt.TOO_LARGE
        line_ends = content.count(b"\r\n")
        if content.count(b"\n") != line_ends or content.count(b"\r") != line_ends:
            return Spoilt.BARE
        if b"\0" in content:
            return Spoilt.NUL
        return Spoilt.LINE_TOO_LONG if self._has_long_line(content) else content

    def _has_long_line(self, content: bytes) -> bool:
        start = 0
        while len(content) - start > self._line_octets_max:
            end = content.rfind(b"\n", start, start + self._line_octets_max)
            if end < 0:
                return True
            start = end + 1
        return False

    def release(self) -> None:
        """Give back what the content took of the budget."""
        self._budget.give_back(self._held)
        self._held = 0
