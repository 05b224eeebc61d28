"""Servers for dialogs: made of fakes, on a wire in memory or on a loopback socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest
import uvloop

from mtad.server.entrance import MX, Entrance
from mtad.server.framing import Overflow
from mtad.server.limits import Limits
from mtad.server.listener import Identity, Server
from mtad.telemetry.events import CollectedEvents
from tests.dialog.wires import MemoryWire, SocketWire, Wire, listening_socket
from tests.fakes.server_rooms import FakeRooms

HOSTNAME = "mx.here.example"


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """TLS differs from loop to loop; the rest is the same on both."""
    if item.path.name in ("test_tls.py", "test_submission.py"):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@dataclass
class House:
    """A server with its fakes, and the wires to it."""

    server: Server
    rooms: FakeRooms
    events: CollectedEvents
    port: int = 0
    entrance: Entrance = MX
    wires: list[Wire] = field(default_factory=list)

    def wire(self, address: str = "192.0.2.1") -> MemoryWire:
        """Connect without a network."""
        wire = MemoryWire(self.server, (address, 40000), self.entrance)
        self.wires.append(wire)
        return wire

    async def socket(self) -> SocketWire:
        """Connect over the loopback interface."""
        wire = await SocketWire.connect(self.port)
        self.wires.append(wire)
        return wire


Build = Callable[..., Awaitable[House]]


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    """Build servers; all is stopped after the test, and whatever a session failed to end shows then."""
    houses: list[House] = []

    async def make(
        rooms: FakeRooms | None = None,
        limits: Limits | None = None,
        events: CollectedEvents | None = None,
        tls_context: ssl.SSLContext | None = None,
        is_binary_offered: bool = False,
        entrance: Entrance = MX,
        overflow: Overflow | None = None,
    ) -> House:
        rooms, events = rooms or FakeRooms(), events or CollectedEvents()
        identity = Identity(HOSTNAME, tls_context, is_binary_offered=is_binary_offered)
        server = Server(identity, limits or Limits(), rooms.collaborators(), events, rooms.time.clock(), overflow)
        listening = listening_socket()
        await server.start([listening], entrance)
        houses.append(House(server, rooms, events, listening.getsockname()[1], entrance))
        return houses[-1]

    yield make
    for house in houses:
        if house.rooms.delivery.gate is not None:
            house.rooms.delivery.gate.set()
        for wire in house.wires:
            await wire.close()
        await house.server.stop(5)
        assert house.server.sessions_count == 0
        assert house.server.octets_in_flight == 0
