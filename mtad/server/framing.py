"""Octets to command lines and to contents, in whatever pieces they come (RFC 5321 §2.3.8, §4.1.1.4, §4.5.2).

Pure: no I/O. Only CRLF ends a command, and only CRLF.CRLF ends the data. A line feed alone ends a line that is
refused, so that a client that knows no CRLF hears of it; in a content a bare CR or LF spoils the message
(CVE-2023-51764), and so does NUL, which next hops cut lines at. Contents that come in chunks: mtad.server.chunking.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from mtad.mail.lines import has_long_line

_END = b"\r\n.\r\n"
_OVERLAP = len(_END) - 1
_CHUNK_COMMAND = b"BDAT"


class BadLine(StrEnum):
    """Why a command line is none."""

    TOO_LONG = "too long"
    BARE = "bare"  # a CR without LF, or an LF without CR
    CHUNK = "chunk"  # either of them, of a BDAT: nobody knows how many octets of a chunk follow


class CommandLines:
    """Cuts what the client sends into command lines; keeps at most `octets_max` of an unfinished one."""

    __slots__ = ("_at", "_octets", "_octets_max", "_too_long")

    def __init__(self, octets_max: int) -> None:
        self._octets_max = octets_max
        self._octets = b""
        self._at = 0
        self._too_long: BadLine | None = None  # of the line that is being left out

    def feed(self, octets: bytes) -> None:
        """Take what came next."""
        self._octets = self._octets[self._at :] + octets if self._at < len(self._octets) else octets
        self._at = 0

    def next(self) -> bytes | BadLine | None:
        """Return the next line without its CRLF, or what is wrong with it; None when it is not complete yet."""
        end = self._octets.find(b"\n", self._at)
        if end < 0:
            if len(self._octets) - self._at > self._octets_max:
                self._too_long = self._too_long or self._bad(BadLine.TOO_LONG)
                self._octets, self._at = b"", 0
            return None
        line = self._octets[self._at : end]
        bad, self._too_long = self._too_long, None
        if bad is None and len(line) >= self._octets_max:
            bad = self._bad(BadLine.TOO_LONG)
        elif bad is None and (line.find(b"\r") != len(line) - 1 or not line):
            bad = self._bad(BadLine.BARE)
        self._at = end + 1
        return bad or line[:-1]

    def _bad(self, why: BadLine) -> BadLine:
        verb = self._octets[self._at : self._at + len(_CHUNK_COMMAND)]
        return BadLine.CHUNK if verb.upper() == _CHUNK_COMMAND else why

    def take(self, octets_max: int | None = None) -> bytes:
        """Return what is left, at most so much, and forget it: the client has sent it after the last line."""
        end = len(self._octets) if octets_max is None else min(self._at + octets_max, len(self._octets))
        taken = self._octets[self._at : end]
        if end == len(self._octets):
            self._octets, self._at = b"", 0
        else:
            self._at = end
        return taken

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._octets)


class Spilt(Protocol):
    """One content that lies outside memory (mtad.server.spill)."""

    def add(self, octets: bytes | bytearray) -> bool:
        """Take what came next; False when there is no room, and then nothing more is to be added."""
        ...

    def cut(self, octets_count: int) -> None:
        """Keep only the first so many octets."""
        ...

    async def turn(self) -> bool:
        """Wait until the content may be read back; False when that takes too long."""
        ...

    def read(self) -> bytes:
        """Return the whole content."""
        ...

    def close(self) -> None:
        """Forget the content."""
        ...


class Overflow(Protocol):
    """Where contents go that memory has no room for."""

    def has(self, octets: int) -> bool:
        """Tell whether that many more fit."""
        ...

    def open(self) -> Spilt | None:
        """Begin to keep a content; None when that cannot be."""
        ...


class OctetBudget:
    """The octets of content that a process holds at one time in memory, shared by its sessions; the rest overflows."""

    __slots__ = ("_octets_max", "octets", "overflow")

    def __init__(self, octets_max: int, overflow: Overflow | None = None) -> None:
        self._octets_max = octets_max
        self.overflow = overflow
        self.octets = 0

    def has(self, octets: int) -> bool:
        """Tell whether that many more fit, in memory or where it overflows to."""
        return self._fits(octets) or (self.overflow is not None and self.overflow.has(octets))

    def _fits(self, octets: int) -> bool:
        return self.octets + octets <= self._octets_max

    def take(self, octets: int) -> bool:
        """Take that many if they fit in memory."""
        if not self._fits(octets):
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


def spoilt_by_octets(octets: bytes, *, line_octets_max: int) -> Spoilt | None:
    """Return why lines of text are refused; None when they may go on."""
    line_ends = octets.count(b"\r\n")
    if octets.count(b"\n") != line_ends or octets.count(b"\r") != line_ends:
        return Spoilt.BARE
    if b"\0" in octets:
        return Spoilt.NUL
    return Spoilt.LINE_TOO_LONG if has_long_line(octets, line_octets_max) else None


class Kept:
    """The octets of one content while they come; none of them once it is known to be refused."""

    __slots__ = ("_budget", "_held", "_octets", "_octets_max", "octets_count", "spilt", "spoilt")

    def __init__(self, budget: OctetBudget, octets_max: int) -> None:
        self._budget = budget
        self._octets_max = octets_max
        self._held = 0
        self._octets = bytearray()
        self.octets_count = 0  # that the client has sent, whether they were kept or not
        self.spilt: Spilt | None = None  # where they are when memory had no room
        self.spoilt: Spoilt | None = None

    def add(self, octets: bytes) -> None:
        """Take what came next."""
        self.octets_count += len(octets)
        if self.spoilt is not None:
            return
        if self.octets_count > self._octets_max:
            self.spoil(Spoilt.TOO_LARGE)
        elif self.spilt is None and self._budget.take(len(octets)):
            self._held += len(octets)
            self._octets += octets
        elif not self._spill(octets):
            self.spoil(Spoilt.NO_ROOM)

    def _spill(self, octets: bytes) -> bool:
        """Keep what came next where there is room, and at first what came before; False when there is none."""
        if self.spilt is not None:
            return self.spilt.add(octets)
        self.spilt = self._budget.overflow.open() if self._budget.overflow is not None else None
        if self.spilt is None or not (self.spilt.add(self._octets) and self.spilt.add(octets)):
            return False
        self._octets.clear()
        self._give_back()
        return True

    def cut(self, octets_count: int) -> None:
        """Keep only the first so many octets: what follows is no content."""
        if self.spilt is not None:
            self.spilt.cut(octets_count)
        else:
            del self._octets[octets_count:]

    def spoil(self, why: Spoilt) -> None:
        """Keep nothing more, whatever comes."""
        self.spoilt = why
        self._octets.clear()
        self.release()

    def taken(self, ending: bytes = b"") -> bytes:
        """Return what was kept, with this ending unless it is empty, and keep it no longer; its room is still held."""
        if self.spilt is not None:
            content = self.spilt.read()
            return content if not content or content.endswith(ending) else content + ending
        if self._octets and not self._octets.endswith(ending):
            self._octets += ending
        content = bytes(self._octets)
        self._octets.clear()
        return content

    def release(self) -> None:
        """Give back all the room that the content took."""
        self._give_back()
        if self.spilt is not None:
            self.spilt.close()
            self.spilt = None

    def _give_back(self) -> None:
        self._budget.give_back(self._held)
        self._held = 0


class ContentReader:
    """Collects one content up to the end of the data."""

    __slots__ = ("_kept", "_line_octets_max", "_size_octets_max", "_tail")

    def __init__(self, budget: OctetBudget, *, size_octets_max: int, line_octets_max: int) -> None:
        self._size_octets_max = size_octets_max
        self._line_octets_max = line_octets_max
        self._kept = Kept(budget, size_octets_max + _OVERLAP)
        self._tail = b"\r\n"  # the end of the DATA command's line: a content may be empty

    def feed(self, octets: bytes) -> bytes | None:
        """Take what came next; return what follows the end of the data, or None when the end has not come."""
        window = self._tail + octets
        at = window.find(_END)
        if at < 0:
            self._tail = window[-_OVERLAP:]
            self._kept.add(octets)
            return None
        seen = self._kept.octets_count
        content_octets = seen - len(self._tail) + at + len(b"\r\n")
        if content_octets > seen:
            self._kept.add(octets[: content_octets - seen])
        else:
            self._kept.cut(max(content_octets, 0))
        return window[at + len(_END) :]

    @property
    def octets_count(self) -> int:
        """How many octets the client has sent, whether they were kept or not."""
        return self._kept.octets_count

    @property
    def spilt(self) -> Spilt | None:
        """Where the content lies when it is not in memory: it waits for its turn before `finish`."""
        return self._kept.spilt

    def finish(self) -> bytes | Spoilt:
        """Return the content without the dots that the client has put before lines, or why it is refused."""
        if self._kept.spoilt is not None:
            return self._kept.spoilt
        content = self._kept.taken()
        if content.startswith(b"."):
            content = content[1:]
        if b"\r\n." in content:
            content = content.replace(b"\r\n.", b"\r\n")
        if len(content) > self._size_octets_max:
            return Spoilt.TOO_LARGE
        return spoilt_by_octets(content, line_octets_max=self._line_octets_max) or content

    def release(self) -> None:
        """Give back what the content took of the budget."""
        self._kept.release()
