"""Where each recipient hears its own (LMTP, PRDR), it hears what became of it, whatever became of the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mtad.mail.verdict import Verdict
from mtad.server.entrance import LMTP, MX
from mtad.server.limits import Limits
from mtad.server.listener import Identity, Server
from mtad.spool.door import Committed, Refusal, Refused
from mtad.telemetry.events import CollectedEvents
from tests.dialog.wires import MemoryWire, reply, say
from tests.fakes.server_rooms import DELAYED, FAILED, UNKNOWN, FakeRooms

# The first digit that a recipient hears: by itself; where the client is a submitter; where nothing can be kept.
HEARD = {"one": "222", "none": "555", "busy": "424", "lost": "224", "later": "224", "drop": "222"}
CASES = (
    st.lists(st.sampled_from(sorted(HEARD)), min_size=1, max_size=6),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def rooms_of(*, is_trusted: bool, has_room: bool) -> FakeRooms:
    rooms = FakeRooms()
    rooms.policy.verdicts["connect"] = Verdict(is_trusted=is_trusted)
    rooms.policy.verdicts["rcpt drop@example.net"] = Verdict(is_discarded=True)
    rooms.policy.dispositions["later@example.net"] = replace(rooms.policy.disposition, queue_at_once=True)
    at_end = {"none": FAILED, "busy": DELAYED, "lost": UNKNOWN}
    rooms.delivery.at_end.update({f"{name}@example.net": outcome for name, outcome in at_end.items()})
    rooms.door.answer = Committed(2) if has_room else Refused(Refusal.FULL)
    return rooms


async def replies_to(names: list[str], rooms: FakeRooms, *, is_lmtp: bool) -> list[str]:
    """Send one message; return the codes that follow it, up to the reply to NOOP."""
    server = Server(Identity("mx.here.example"), Limits(), rooms.collaborators(), CollectedEvents(), rooms.time.clock())
    wire = MemoryWire(server, entrance=LMTP if is_lmtp else MX)
    assert (await reply(wire))[0].startswith("220")
    mail = "MAIL FROM:<a@client.example>" + ("" if is_lmtp else " PRDR")
    await say(wire, f"{'LHLO' if is_lmtp else 'EHLO'} client.example", mail)
    rcpts = [line[:3] for line in await say(wire, *(f"RCPT TO:<{name}@example.net>" for name in names), "DATA")]
    assert rcpts == ["250"] * len(names) + ["354"]
    await wire.send(b"text\r\n.\r\nHELP\r\n" if not is_lmtp else b"text\r\n.\r\nVRFY a\r\n")
    codes: list[str] = []
    while not codes or codes[-1] not in ("214", "252"):
        codes.append((await reply(wire))[0][:3])
    await wire.close()
    return codes[:-1]


def test_each_hears_what_became_of_it() -> None:
    reached: Counter[str] = Counter()

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(*CASES)
    def check(names: list[str], is_lmtp: bool, is_trusted: bool, has_room: bool) -> None:
        is_trusted = is_trusted or is_lmtp
        rooms = rooms_of(is_trusted=is_trusted, has_room=has_room)
        codes = asyncio.run(replies_to(names, rooms, is_lmtp=is_lmtp))
        is_submitter = is_trusted and not is_lmtp
        heard = [HEARD[name][is_submitter if has_room else 2] for name in names]
        kept = {address for message in rooms.door.messages.values() for address in message.recipients}
        contents = [
            recipient for through in rooms.delivery.opened if through.content for recipient in through.recipients
        ]
        for name, digit in zip(names, heard, strict=True):
            address = f"{name}@example.net"
            has_it = name == "drop" or (name == "one" and address in contents)
            assert (digit == "2") == (has_it or address in kept), "who hears 250 has it, or we do"
        is_apart = codes[0] == "353"
        reached["lmtp" if is_lmtp else "apart" if is_apart else "together"] += 1
        if is_lmtp:
            assert [code[0] for code in codes] == heard
        elif is_apart:
            assert [code[0] for code in codes[1:-1]] == heard
            assert codes[-1][0] == ("2" if "2" in heard else "5" if set(heard) == {"5"} else "4")
            assert set(heard) != {"2"}
        else:
            assert len(codes) == 1
            assert set(heard) == {codes[0][0]}

    check()
    assert min(reached[way] for way in ("lmtp", "apart", "together")) >= 15, reached
