"""LMTP over a Unix socket, whose clients have no address (RFC 2033)."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from mtad.server.entrance import LMTP, MX, Entrance
from tests.dialog.conftest import Build
from tests.dialog.wires import SocketWire, reply, say
from tests.fakes.server_rooms import FAILED, FakeRooms


async def connected(build: Build, rooms: FakeRooms, path: Path, entrance: Entrance) -> SocketWire:
    house = await build(rooms)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    listening.setblocking(False)
    await house.server.start([listening], entrance)
    wire = SocketWire(*await asyncio.open_unix_connection(str(path)))
    house.wires.append(wire)
    return wire


async def test_who_comes_by_a_unix_socket_needs_no_trust(build: Build, tmp_path: Path) -> None:
    rooms = FakeRooms()
    rooms.delivery.at_end["none@example.net"] = FAILED
    wire = await connected(build, rooms, tmp_path / "lmtp", LMTP)
    assert await reply(wire) == ["220 mx.here.example LMTP mtad"]
    assert (await say(wire, "LHLO client.example"))[0].startswith("250-")
    rcpts = ("RCPT TO:<one@example.net>", "RCPT TO:<none@example.net>")
    codes = [line[:3] for line in await say(wire, "MAIL FROM:<a@client.example>", *rcpts, "DATA")]
    assert codes == ["250", "250", "250", "354"]
    await wire.send(b"text\r\n.\r\n")
    assert [(await reply(wire))[0][:9] for _ in range(2)] == ["250 2.0.0", "550 5.1.1"]
    [content] = rooms.delivery.contents
    assert b"from client.example (local)\r\n\tby mx.here.example (mtad) with LMTP id" in content


@pytest.mark.parametrize("entrance", [LMTP, MX])
async def test_policy_is_asked_there_too(entrance: Entrance, build: Build, tmp_path: Path) -> None:
    rooms = FakeRooms()
    rooms.policy.verdicts["rcpt"] = RuntimeError("secret")
    wire = await connected(build, rooms, tmp_path / "socket", entrance)
    await reply(wire)
    hello = "LHLO" if entrance is LMTP else "EHLO"
    await say(wire, f"{hello} client.example", "MAIL FROM:<a@client.example>")
    assert (await say(wire, "RCPT TO:<one@example.net>"))[0].startswith("451 4.3.0 Local error")
    assert rooms.policy.asked[0] == "connect"
