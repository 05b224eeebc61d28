"""Whatever octets come, in whatever pieces: valid replies or a closed connection, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtad.server.framing import BadLine, CommandLines, ContentReader, OctetBudget, Spoilt
from tests.fuzz.targets import check_conversation, converse

_LINES = st.sampled_from(
    [
        b"EHLO client.example",
        b"HELO client.example",
        b"MAIL FROM:<a@client.example>",
        b"MAIL FROM:<> SIZE=100 BODY=8BITMIME",
        b"MAIL FROM:<a@client.example> SIZE=401",
        b"RCPT TO:<one@example.net>",
        b"RCPT TO:<one@example.net> NOTIFY=SUCCESS ORCPT=rfc822;x+40y",
        b"RCPT TO:<busy@example.net>",
        b"RCPT TO:<none@example.net>",
        b"RCPT TO:<late@example.net>",
        b"DATA",
        b"BDAT 8",
        b"BDAT 0 LAST",
        b"BDAT 12 LAST",
        b"BDAT 500",
        b"Subject: text",
        b"..",
        b".",
        b"RSET",
        b"NOOP",
        b"VRFY x",
        b"HELP",
        b"STARTTLS",
        b"x" * 300,
        b"",
    ]
)
_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\r\r\n", b"", b"\0\r\n"])
_PIECES = st.one_of(
    st.builds(lambda line: line + b"\r\n", _LINES),
    st.builds(
        lambda line, end: line + end, _LINES, st.sampled_from([b"\n", b"\r", b"\r\n", b"\r\r\n", b"", b"\0\r\n"])
    ),
    st.binary(max_size=60),
    st.just(b"EHLO client.example\r\n"),
    st.just(b"MAIL FROM:<a@client.example>\r\nRCPT TO:<none@example.net>\r\nDATA\r\n"),
)
_ENVELOPES = st.builds(
    lambda name: b"MAIL FROM:<a@client.example>\r\nRCPT TO:<%s@example.net>\r\nDATA\r\n" % name,
    st.sampled_from([b"one", b"busy", b"late", b"one@example.net>\r\nRCPT TO:<busy"]),
)
_CONTENTS = st.one_of(st.just(b"text"), st.just(b"x" * 450), st.just(b"a\nb"), st.binary(max_size=30))
_TRANSACTIONS = st.tuples(_ENVELOPES, st.builds(lambda content: content + b"\r\n.\r\n", _CONTENTS))
_CHUNKED = st.builds(
    lambda envelope, chunks: (
        envelope.removesuffix(b"DATA\r\n"),
        *(b"BDAT %d%b\r\n%b" % (len(octets), last, octets) for octets, last in chunks),
    ),
    _ENVELOPES,
    st.lists(st.tuples(_CONTENTS, st.sampled_from([b"", b" LAST"])), max_size=4),
)
_DIALOGS = st.builds(
    lambda hello, parts: [hello, *(piece for part in parts for piece in part)],
    st.sampled_from([b"EHLO client.example\r\n", b"HELO client.example\r\n", b""]),
    st.lists(st.one_of(st.tuples(_PIECES), _TRANSACTIONS, _TRANSACTIONS, _CHUNKED), max_size=12),
)
_RECEIVED = b" octets received\r\n"


def test_any_octets_in_any_pieces() -> None:
    reached: Counter[bytes] = Counter()

    @settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(_DIALOGS)
    def check(pieces: list[bytes]) -> None:
        lines, rooms, events = asyncio.run(converse(pieces))
        check_conversation(lines, rooms, events)
        for line in lines:
            reached[line[:3]] += 1
            reached[_RECEIVED] += line.endswith(_RECEIVED)

    check()
    assert reached[_RECEIVED], "no chunk was ever taken"
    assert reached.keys() >= {b"220", b"250", b"354", b"421", b"450", b"500", b"503", b"550", b"552", b"554"}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_DIALOGS, st.lists(st.integers(0, 400), max_size=20))
def test_pieces_make_no_difference(pieces: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(pieces)

    def lines(parts: list[bytes]) -> list[bytes | BadLine]:
        found, cutter = [], CommandLines(80)
        for part in parts:
            cutter.feed(part)
            while (line := cutter.next()) is not None:
                found.append(line)
        return found

    def content(parts: list[bytes]) -> tuple[bytes | Spoilt, bytes] | None:
        reader = ContentReader(OctetBudget(10_000), size_octets_max=400, line_octets_max=200)
        for index, part in enumerate(parts):
            rest = reader.feed(part)
            if rest is not None:
                return reader.finish(), rest + b"".join(parts[index + 1 :])
        return None

    edges = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
    parts = [octets[start:end] for start, end in pairwise(edges)]
    single = [octets[at : at + 1] for at in range(len(octets))]
    assert lines(parts) == lines([octets]) == lines(single)
    assert content(parts) == content([octets]) == content(single)
