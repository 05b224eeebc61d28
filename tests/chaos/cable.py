"""The cable between the two nodes, and what can be done to it: a forwarder's on loopback, or the kernel's own.

On loopback octets pass a TCP forwarder, which ends its connections when it is mended. In network namespaces packets
are lost beneath TCP, which goes on or gives up as it does on a real network.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from mtad.lab.layout import Places
from mtad.lab.wire import Wire

NAMES = ("mx1", "mx2")
_NOBODY = "02:00:00:00:00:99"  # no device has this address: what is sent to it is taken by nobody
_BURST_OCTETS = 3_200
_QUEUED_SECONDS = 0.4  # what would wait for longer is dropped


class Cable(Protocol):
    """What the nodes reach each other over."""

    async def cut(self, senders: Iterable[int] = (0, 1)) -> None:
        """Swallow what these nodes send to the other one."""
        ...

    async def slow(self, delay_seconds: float, octets_per_second: float) -> None:
        """Pass everything on late, and no faster than this; 0 is no limit."""
        ...

    async def tear(self) -> None:
        """Cut it, and end the connections for those alone who opened them."""
        ...

    async def mend(self) -> None:
        """Let everything pass as ever."""
        ...


class Wires:
    """A cable of two forwarders: the first is the one over which the first node connects to the second."""

    def __init__(self, wires: Sequence[Wire]) -> None:
        self._wires = tuple(wires)

    async def cut(self, senders: Iterable[int] = (0, 1)) -> None:
        for sender in senders:
            self._wires[sender].pull(is_back=False)
            self._wires[1 - sender].pull(is_there=False)

    async def slow(self, delay_seconds: float, octets_per_second: float) -> None:
        for wire in self._wires:
            wire.slow(delay_seconds, octets_per_second)

    async def tear(self) -> None:
        for wire in self._wires:
            wire.tear()

    async def mend(self) -> None:
        for wire in self._wires:
            wire.slow(0.0)
            wire.plug()


class Namespaces:
    """Two network namespaces: a bridge to all other parts of the laboratory, and a cable of the kernel's between them.

    Addresses are of the range for tests of networks (RFC 2544).
    """

    places = Places("198.18.0.1", ("198.18.0.11", "198.18.0.12"), ("198.18.1.1", "198.18.1.2"))
    wrapper = ("/usr/bin/env", "ip", "netns", "exec", f"mtad-{os.getpid()}-{{name}}")

    def __init__(self) -> None:
        self._spaces = tuple(f"mtad-{os.getpid()}-{name}" for name in NAMES)
        self._bridge = f"mtad{os.getpid()}"
        self._addresses: list[str] = []  # of each end of the cable, for the other one to send to

    @classmethod
    @asynccontextmanager
    async def made(cls) -> AsyncIterator[Namespaces]:
        """Make both, and remove them at the end. Errors: OSError, where this may not be done."""
        async with AsyncExitStack() as stack:
            made = cls()
            await made._lay(stack)
            yield made

    async def _lay(self, stack: AsyncExitStack) -> None:
        bridge, (first, second), places = self._bridge, self._spaces, self.places
        await _ip("link", "add", bridge, "type", "bridge")
        stack.push_async_callback(_ip, "link", "del", bridge)
        await _ip("address", "add", f"{places.services}/24", "dev", bridge)
        await _ip("link", "set", bridge, "up")
        for index, space in enumerate(self._spaces):
            await _ip("netns", "add", space)
            stack.push_async_callback(_ip, "netns", "del", space)
            outside = f"{bridge}{index}"
            await _ip("link", "add", outside, "master", bridge, "type", "veth", "peer", "name", "lan", "netns", space)
            await _ip("link", "set", outside, "up")
        await _ip("-n", first, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", second)
        for index, space in enumerate(self._spaces):
            await _ip("-n", space, "link", "set", "lo", "up")
            for device, address in (("lan", places.nodes[index]), ("cable", places.links[index])):
                await _ip("-n", space, "address", "add", f"{address}/24", "dev", device)
                await _ip("-n", space, "link", "set", device, "up")
            shown = (await _ip("-n", space, "-o", "link", "show", "cable")).split()
            self._addresses.append(shown[shown.index("link/ether") + 1])

    async def cut(self, senders: Iterable[int] = (0, 1)) -> None:
        for sender in senders:
            await self._send_to(sender, _NOBODY)

    async def slow(self, delay_seconds: float, octets_per_second: float) -> None:
        """There is no delay: this kernel may have no netem. What is too fast waits a little, and is dropped then."""
        for space in self._spaces:
            how = ("rate", f"{octets_per_second * 8:.0f}bit", "burst", str(_BURST_OCTETS))
            waiting = ("latency", f"{_QUEUED_SECONDS * 1000:.0f}ms")
            await _run("tc", "-n", space, "qdisc", "replace", "dev", "cable", "root", "tbf", *how, *waiting)

    async def tear(self) -> None:
        """Take the cable out at one end: both kernels see that it is out."""
        await _ip("-n", self._spaces[0], "link", "set", "cable", "down")

    async def mend(self) -> None:
        await _ip("-n", self._spaces[0], "link", "set", "cable", "up")
        for index, space in enumerate(self._spaces):
            await self._send_to(index, self._addresses[1 - index])
            if "tbf" in await _run("tc", "-n", space, "qdisc", "show", "dev", "cable"):
                await _run("tc", "-n", space, "qdisc", "del", "dev", "cable", "root")

    async def _send_to(self, sender: int, link_address: str) -> None:
        other = self.places.links[1 - sender]
        where = ("lladdr", link_address, "dev", "cable", "nud", "permanent")
        await _ip("-n", self._spaces[sender], "neighbour", "replace", other, *where)


async def _ip(*words: str) -> str:
    return await _run("ip", *words)


async def _run(*words: str) -> str:
    """Run a program; return what it says. Errors: OSError, when it is not there or has failed."""
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise OSError(f"{' '.join(words)}: {said.decode().strip()}")
    return said.decode()
