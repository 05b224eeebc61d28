"""A content is the same, and refused for the same reason, by DATA and in whatever chunks."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtad.server.chunking import ChunkReader
from mtad.server.framing import ContentReader, OctetBudget, Spoilt

_OCTETS = st.lists(st.sampled_from([b"\r\n", b"\r\n", b".", b"..", b"a: b", b"x" * 20, b"\r", b"\n", b"\0", b"\xff"]))
_LIMITS = {"size_octets_max": 120, "line_octets_max": 50}


def by_data(content: bytes) -> bytes | Spoilt:
    doubled = content.replace(b"\r\n.", b"\r\n..")
    reader = ContentReader(OctetBudget(1000), **_LIMITS)
    assert reader.feed((b"." if doubled.startswith(b".") else b"") + doubled + b".\r\nQUIT\r\n") == b"QUIT\r\n"
    return reader.finish()


def by_chunks(content: bytes, cuts: list[int]) -> bytes | Spoilt:
    budget = OctetBudget(1000)
    reader = ChunkReader(budget, latest=0.0, **_LIMITS)
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in pairwise(edges):
        reader.expect(end - start)
        reader.feed(content[start:end])
    found = reader.finish()
    reader.release()
    assert budget.octets == 0
    return found


def test_data_and_chunks_bring_the_same() -> None:
    reached: Counter[str] = Counter()

    @settings(max_examples=500, derandomize=True, deadline=None)
    @given(_OCTETS.map(b"".join).map(lambda octets: octets + b"\r\n"), st.lists(st.integers(0, 130), max_size=6))
    @example(content=b"x" * 20 + b"\r\n" + b"a: b\r\n" * 20, cuts=[30])
    def same(content: bytes, cuts: list[int]) -> None:
        found = by_chunks(content, cuts)
        if len(content) <= _LIMITS["size_octets_max"] - content.count(b"\r\n.") - 1:  # DATA counts the doubled dots
            assert found == by_data(content)
        assert isinstance(found, Spoilt) or found == content
        reached[found.name if isinstance(found, Spoilt) else "taken"] += 1

    same()
    assert reached.keys() == {"taken", "BARE", "NUL", "TOO_LARGE", "LINE_TOO_LONG"}
