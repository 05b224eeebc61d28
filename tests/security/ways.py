"""How a content is brought to a server: by DATA or in chunks, in whatever pieces."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from tests.dialog.wires import Wire

END = b"\r\n.\r\n"
CHUNKS = "chunks"


def cuts(form: bytes, before_octets: int) -> list[tuple[int, ...]]:
    """Return where to cut what is sent: nowhere, before and behind each octet of the form, and at all of these."""
    inside = range(before_octets, before_octets + len(form) + 1)
    return [(), *((at,) for at in inside), tuple(inside)]


async def send(wire: Wire, octets: bytes, at: tuple[int, ...] = ()) -> None:
    for start, end in itertools.pairwise((0, *at, len(octets))):
        await wire.send(octets[start:end])


def by_data(content: bytes) -> bytes:
    return content + END


def by_chunk(content: bytes) -> bytes:
    return b"BDAT %d LAST\r\n%b" % (len(content), content)


def by_chunks(content: bytes) -> bytes:
    """Return the content in three chunks, of which one begins in the middle of each form behind `first`."""
    pieces = content[:7], content[7:9], content[9:]
    return b"".join(b"BDAT %d\r\n%b" % (len(piece), piece) for piece in pieces) + b"BDAT 0 LAST\r\n"


WAYS: dict[str, Callable[[bytes], bytes]] = {"DATA": by_data, "one chunk": by_chunk, CHUNKS: by_chunks}
REPLIES_BEFORE = {CHUNKS: 3}  # to what comes before the end
