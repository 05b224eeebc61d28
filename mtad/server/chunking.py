"""Contents that come in chunks (RFC 3030): what BDAT says, and what is kept of one chunk after the other.

Pure: no I/O. A chunk's octets follow its command at once and are read to their end whatever is answered: nothing in
them is ever taken for a command. Once a chunk was refused no other is accepted before RSET.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mtad.mail.reply import Reply
from mtad.server.framing import Kept, OctetBudget, Spilt, Spoilt, spoilt_by_octets
from mtad.server.received import header_of
from mtad.server.step import Step, Then

_BDAT = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)

# Nobody knows what belongs to the chunk: to go on would be to take a content for commands.
BAD_CHUNK = Step(Reply.of(501, "5.5.4", "Syntax: BDAT size [LAST]"), Then.CLOSE)
TOO_SLOW = Step(Reply.of(421, "4.4.2", "Chunks come too slowly"), Then.CLOSE)
_CHUNK_BEFORE = Step(Reply.of(503, "5.5.1", "BDAT has begun: go on with BDAT, or RSET"))
BINARY_BY_DATA = Step(Reply.of(503, "5.5.1", "Binary content comes by BDAT"))
CHUNK_REFUSED = Step(Reply.of(503, "5.5.1", "A chunk was refused: RSET comes next"))


class ChunkReader:
    """Collects one content from its chunks.

    latest      when the last chunk must have begun, on the server's monotonic clock
    is_binary   BODY=BINARYMIME: behind the header section anything may stand
    """

    __slots__ = ("_is_binary", "_kept", "_line_octets_max", "_size_octets_max", "latest")

    def __init__(
        self,
        budget: OctetBudget,
        *,
        size_octets_max: int,
        line_octets_max: int,
        latest: float,
        is_binary: bool = False,
    ) -> None:
        self._kept = Kept(budget, size_octets_max)
        self._size_octets_max = size_octets_max
        self._line_octets_max = line_octets_max
        self._is_binary = is_binary
        self.latest = latest

    @property
    def is_spoilt(self) -> bool:
        """Tell whether the content is refused already, whatever comes."""
        return self._kept.spoilt is not None

    @property
    def octets_count(self) -> int:
        """How many octets the client has sent, whether they were kept or not."""
        return self._kept.octets_count

    @property
    def spilt(self) -> Spilt | None:
        """Where the content lies when it is not in memory: it waits for its turn before `finish`."""
        return self._kept.spilt

    def expect(self, octets_count: int) -> None:
        """Hear that a chunk of so many octets comes: one that makes the content too large is not kept at all."""
        if not self.is_spoilt and self._kept.octets_count + octets_count > self._size_octets_max:
            self._kept.spoil(Spoilt.TOO_LARGE)

    def refuse(self) -> None:
        """Take no chunk at all."""
        self._kept.spoil(Spoilt.NO_ROOM)

    @property
    def refusal(self) -> Step:
        """The answer to a command that has no place between chunks."""
        return CHUNK_REFUSED if self.is_spoilt else _CHUNK_BEFORE

    def feed(self, octets: bytes) -> None:
        """Take what came next of a chunk."""
        self._kept.add(octets)

    def finish(self) -> bytes | Spoilt:
        """Return the content, or why it is refused.

        Binary content is left as it is. Of a text, a last line without its end is given one: DATA could not carry it,
        and next hops get DATA.
        """
        if self._kept.spoilt is not None:
            return self._kept.spoilt
        content = self._kept.taken(b"" if self._is_binary else b"\r\n")
        lines = header_of(content) if self._is_binary else content
        return spoilt_by_octets(lines, line_octets_max=self._line_octets_max) or content

    def release(self) -> None:
        """Give back what the content took of the budget."""
        self._kept.release()


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """What BDAT says."""

    octets_count: int
    is_last: bool


def parse_bdat(argument: str) -> ChunkSize | None:
    """Parse what stands behind BDAT; None when it is no size."""
    found = _BDAT.fullmatch(argument)
    return None if found is None else ChunkSize(int(found[1]), found[2] is not None)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that follows now.

    refusal   why it is read and forgotten; None when `reader` takes it
    """

    size: ChunkSize
    reader: ChunkReader | None = None
    refusal: Step | None = None

    def feed(self, octets: bytes) -> None:
        """Take what came next of it."""
        if self.reader is not None:
            self.reader.feed(octets)
