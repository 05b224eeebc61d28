"""A client that brings a message, may go before it has heard the reply, and comes back with it."""

from __future__ import annotations

from tests.dialog.conftest import House
from tests.dialog.wires import Wire, greeted, reply, say, send_message
from tests.fakes.waiting import until

ONE, TWO, THREE = "one@example.net", "two@example.net", "three@example.net"
HERE, ELSEWHERE = "192.0.2.1", "203.0.113.9"  # whence clients come
CONTENT = b"Message-ID: <1@client.example>\r\nSubject: x\r\n\r\nbody"
OTHER = CONTENT.replace(b"body", b"tody")
TAKEN = "250 2.0.0 Ok: delivered (mx.example.net: 250 2.0.0 Ok, taken)"
SENDER = "sender@client.example"


async def settled(house: House) -> None:
    """Wait until every connection has ended, and what is to be remembered is."""
    await until(lambda: house.server.sessions_count == 0)
    await house.server.acceptance.remembering.tasks.drained()


async def bring(house: House, content: bytes = CONTENT, *recipients: str, address: str = HERE) -> str:
    """Bring a message as a client does that behaves; return the final reply."""
    wire = await greeted(house.wire(address))
    said = await send_message(wire, content, *recipients)
    await say(wire, "QUIT")
    return said


async def lose(house: House, *recipients: str, content: bytes = CONTENT) -> str:
    """Bring a message, and go without a word after the reply; return it."""
    wire = await greeted(house.wire())
    said = await send_message(wire, content, *recipients)
    await wire.close()
    await settled(house)
    return said


async def say_all_but_the_reply(wire: Wire, ahead: bytes = b"") -> None:
    for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ONE}>", "DATA"):
        assert (await say(wire, command))[0][0] in "23"
    await wire.send(CONTENT + b"\r\n.\r\n" + ahead)


def delivered(house: House) -> list[list[str]]:
    """Return who got each message that was delivered."""
    return [through.recipients for through in house.rooms.delivery.opened if through.content is not None]


async def bring_by_prdr(wire: Wire) -> list[str]:
    """Bring a message to two recipients that each hear their own reply; return the replies."""
    await say(wire, f"MAIL FROM:<{SENDER}> PRDR", f"RCPT TO:<{ONE}>", f"RCPT TO:<{TWO}>", "DATA")
    await wire.send(CONTENT + b"\r\n.\r\n")
    said = await reply(wire)
    return said if said[0].startswith("2") else [line for _ in range(3) for line in await reply(wire)]
