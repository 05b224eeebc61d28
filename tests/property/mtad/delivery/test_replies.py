"""Whatever a next hop sends: the parser never faults, and every recipient is settled exactly once."""

from __future__ import annotations

from collections import Counter

from hypothesis import event, given, settings
from hypothesis import strategies as st

from mtad.delivery.client_events import ContentWanted, Ended, Event, Greeting, Mail, Opened, Settled
from mtad.delivery.client_protocol import ClientProtocol
from mtad.delivery.reply_parser import LINE_OCTETS_MAX, REPLY_OCTETS_MAX, Broken, ReplyParser
from mtad.mail.outcome import Result
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel, Transport

PIECES = st.sampled_from(
    [
        b"250",
        b"-",
        b" ",
        b"ok",
        b"\r\n",
        b"\n",
        b"\r",
        b"550 no\r\n",
        b"421 bye\r\n",
        b"250-a\r\n250 b\r\n",
        b"\xff\x00",
    ]
)
OCTETS = st.lists(PIECES | st.binary(max_size=20), max_size=40).map(b"".join)


def fed(octets: bytes, sizes: list[int]) -> list[Reply | Broken]:
    """Return what the parser makes of the octets in pieces of these sizes; it is fed no more after Broken."""
    parser = ReplyParser()
    found: list[Reply | Broken] = []
    start = 0
    for size in [*sizes, len(octets)]:
        if found and isinstance(found[-1], Broken):
            break
        found += parser.feed(octets[start : start + size])
        start += size
    return found


@given(OCTETS, st.lists(st.integers(1, 7), max_size=30))
def test_pieces_make_no_difference(octets: bytes, sizes: list[int]) -> None:
    whole = fed(octets, [])
    assert fed(octets, sizes) == whole
    event("broken" if any(isinstance(answer, Broken) for answer in whole) else f"{min(len(whole), 3)} replies")
    assert all(isinstance(answer, Reply) for answer in whole[:-1])


@given(st.integers(1, 3 * LINE_OCTETS_MAX), st.integers(1, 40))
def test_what_is_kept_is_bounded(line_octets: int, lines_count: int) -> None:
    octets = b"".join(b"250-" + b"x" * line_octets + b"\r\n" for _ in range(lines_count))
    found = fed(octets, [])
    is_too_much = line_octets + 5 > LINE_OCTETS_MAX or lines_count * (line_octets + 6) > REPLY_OCTETS_MAX
    assert bool(found) == is_too_much
    assert not found or isinstance(found[0], Broken)


REPLIES = st.sampled_from(
    ["220 hi", "250 ok", "250 ok", "250 ok", "354 go", "354 go", "450 later", "550 no", "421 bye", "500 what", "220-x"]
)
ASKS = st.sampled_from(["rcpt", "rcpt", "data", "data", "reset"])
OPENINGS = st.sampled_from(
    [b"250 mx\r\n", b"250-mx\r\n250 PIPELINING\r\n", b"250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"]
)


@st.composite
def conversations(draw: st.DrawFn) -> list[str]:
    """Draw what happens in a transaction: often a usual beginning, then anything."""
    steps: list[str] = []
    if draw(st.booleans()):
        count = draw(st.integers(1, 4))
        steps = ["rcpt"] * count + ["250 ok"]
        steps += draw(st.lists(st.sampled_from(["250 ok", "250 ok", "550 no"]), min_size=count, max_size=count))
        steps += ["data", "354 go"]
    return steps + draw(st.lists(ASKS | REPLIES, min_size=0 if steps else 3, max_size=20))


def play(core: ClientProtocol, steps: list[str]) -> tuple[list[Event], list[str], set[str]]:
    """Return the events, the recipients that were asked for, and what the caller did besides."""
    mail = Mail("x@a.test", is_binary="BINARYMIME" in core.extensions)
    seen: list[Event] = core.begin(mail)
    asked: list[str] = []
    done: set[str] = set()
    for step in steps:
        events: list[Event] = []
        if step[0].isdigit():
            events = core.receive(step.encode() + b"\r\n")
        elif not done and not any(isinstance(known, Ended) for known in seen):
            if step == "rcpt":
                asked.append(f"u{len(asked)}@b.test")
                events = core.recipient(asked[-1])
            else:
                done.add(step)
                events = core.data(9) if step == "data" else core.reset()
        seen += events
        if any(isinstance(known, ContentWanted) for known in events) and not core.is_dead:
            done.add("dot")
            seen += core.end_of_data()
    return seen + core.lost("closed"), asked, done


def test_every_recipient_is_settled_once() -> None:
    reached: set[str] = set()

    @settings(max_examples=500, derandomize=True, deadline=None)
    @given(st.sampled_from(Transport), OPENINGS, conversations())
    def search(transport: Transport, opening: bytes, steps: list[str]) -> None:
        core = ClientProtocol(Greeting("us.test", transport, TlsLevel.NONE, "mx.test"))
        assert Opened() in [*core.receive(b"220 mx\r\n"), *core.receive(opening)]
        seen, asked, done = play(core, steps)
        settled = [known for known in seen if isinstance(known, Settled)]
        assert max(Counter(known.recipient for known in settled).values(), default=0) <= 1
        assert "reset" in done or {known.recipient for known in settled} == set(asked)
        assert sum(isinstance(known, Ended) for known in seen) == 1
        assert "dot" in done or all(known.outcome.result is not Result.UNKNOWN for known in settled)
        reached.update(known.outcome.result.value for known in settled)
        reached.update("elsewhere" for known in settled if known.is_of_connection)
        reached.update("reusable" for known in seen if isinstance(known, Ended) and known.is_reusable)

    search()
    assert reached == {"delivered", "delayed", "failed", "unknown", "elsewhere", "reusable"}
