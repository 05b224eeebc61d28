"""The laboratory's running parts: DNS, an SMTP and an LMTP sink, and two nodes that replicate."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

from mtad.lab.child import Child
from mtad.lab.dns import DnsServer, serve_zones
from mtad.lab.layout import (
    DEFAULT_POLICY,
    HOST,
    USUAL_SHAPE,
    NodeFiles,
    NodeShape,
    Ports,
    lay_nodes,
    make_keys,
    zones,
)
from mtad.lab.ports import free_port, is_free
from mtad.lab.sink import Delivery, read_record, tell
from mtad.lab.wire import Wire
from mtad.pb import admin_pb2, admin_pb2_grpc

READY_SECONDS_MAX = 60.0
SINK_READY_SECONDS_MAX = 20.0
STATUS_SECONDS_MAX = 2.0
POLL_SECONDS = 0.1
_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 400),
]


class LaboratoryFault(Exception):  # noqa: N818
    """A part of the laboratory did not come up; the text says which and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class View:
    """What a node says of itself."""

    role: str
    epoch: int
    is_protected: bool  # what it accepts now is on two disks before its 250
    queue_messages: int
    unprotected_messages: int


class RunningNode:
    """One node of the pair, running or killed."""

    def __init__(self, files: NodeFiles, child: Child) -> None:
        self.files = files
        self.child = child
        self._channel = grpc.aio.insecure_channel(f"unix:{files.admin_socket}", options=_RECONNECT)
        self._admin = admin_pb2_grpc.AdminStub(self._channel)

    @classmethod
    async def start(cls, files: NodeFiles) -> RunningNode:
        """Start a node; it is not ready yet."""
        return cls(files, await _start_child(files))

    @property
    def name(self) -> str:
        """Its name in the pair."""
        return self.files.name

    async def restart(self) -> None:
        """Start it again after it has ended."""
        self.child = await _start_child(self.files)

    async def view(self) -> View | None:
        """Return what it says of itself; None when it does not answer."""
        try:
            status = await self._admin.Status(admin_pb2.StatusRequest(), timeout=STATUS_SECONDS_MAX)
        except grpc.aio.AioRpcError:
            return None
        queued, alone = status.queue.messages, status.unprotected_messages
        return View(status.role, status.epoch, status.peer.durability == "remote-durable", queued, alone)

    async def queue(self) -> list[admin_pb2.QueueEntry]:
        """Return what it holds. Errors: grpc.aio.AioRpcError."""
        return [entry async for entry in self._admin.QueueList(admin_pb2.QueueListRequest())]

    async def queue_ids(self) -> dict[str, str]:
        """Return the queue ids that it holds, each with its sender. Errors: grpc.aio.AioRpcError."""
        return {entry.queue_id: entry.sender for entry in await self.queue()}

    async def stop(self) -> None:
        """End it and leave its admin socket."""
        await self._channel.close()
        await self.child.stop()


async def _start_child(files: NodeFiles) -> Child:
    return await Child.start(files.name, files.command, files.log)


@dataclass(frozen=True, slots=True)
class RunningSink:
    """A sink in its own process."""

    child: Child
    port: int
    control_port: int
    address: str
    record: Path
    contents: Path

    @classmethod
    async def start(cls, name: str, folder: Path, address: str = HOST, *, is_lmtp: bool) -> RunningSink:
        """Start a sink and wait until it listens. Errors: LaboratoryFault."""
        record, contents = folder / f"{name}.record", folder / f"{name}.contents"
        command = [sys.executable, "-m", "mtad.lab.sink", "serve", "--hostname", f"{name}.example.test"]
        command += ["--record", str(record), "--contents", str(contents), *(["--lmtp"] if is_lmtp else [])]
        command += ["--address", address]
        child = await Child.start(name, command, folder / f"{name}.log", is_answering=True)
        try:
            async with asyncio.timeout(SINK_READY_SECONDS_MAX):
                answer = await child.answer()
        except TimeoutError:
            answer = b""
        if not answer:
            await child.stop()
            raise LaboratoryFault(f"{name} did not start\n{child.last_lines()}")
        ports = json.loads(answer)
        return cls(child, ports["port"], ports["control_port"], address, record, contents)


class Laboratory:
    """The running laboratory."""

    def __init__(
        self,
        dns: DnsServer,
        sinks: tuple[RunningSink, RunningSink],
        nodes: tuple[RunningNode, RunningNode],
        wires: tuple[Wire, ...] = (),
    ) -> None:
        self.dns = dns
        self.smtp_sink, self.lmtp_sink = sinks
        self.wires = wires
        self.nodes = nodes

    async def tell_sinks(self, command: str) -> None:
        """Change how both sinks answer. Errors: LaboratoryFault when one does not obey."""
        for sink in (self.smtp_sink, self.lmtp_sink):
            try:
                answer = await tell(sink.address, sink.control_port, command)
            except (OSError, TimeoutError) as error:
                raise LaboratoryFault(f"{sink.child.name} does not answer: {error}") from error
            if answer != "ok":
                raise LaboratoryFault(f"{sink.child.name}: {answer}")

    def delivered(self) -> Iterator[Delivery]:
        """Yield all that both sinks have taken."""
        for sink in (self.smtp_sink, self.lmtp_sink):
            yield from read_record(sink.record)

    async def roles(self) -> tuple[RunningNode, RunningNode] | None:
        """Return the active and the passive node; None when the pair is not complete and protected."""
        views = [await node.view() for node in self.nodes]
        by_role = {view.role: node for node, view in zip(self.nodes, views, strict=True) if view is not None}
        if set(by_role) != {"active", "passive"} or not all(view and view.is_protected for view in views):
            return None
        return by_role["active"], by_role["passive"]

    async def wait_protected(self) -> tuple[RunningNode, RunningNode]:
        """Wait until one node is active, the other passive, and both copies are kept; return them in this order.

        Errors: LaboratoryFault when a node ends or the time runs out.
        """
        deadline = asyncio.get_running_loop().time() + READY_SECONDS_MAX
        while (roles := await self.roles()) is None:
            for node in self.nodes:
                if not node.child.is_running:
                    code = node.child.exit_code
                    raise LaboratoryFault(f"{node.name} ended with {code}\n{node.child.last_lines()}")
            if asyncio.get_running_loop().time() > deadline:
                logs = "\n".join(f"{node.name}:\n{node.child.last_lines()}" for node in self.nodes)
                raise LaboratoryFault(f"the pair is not protected after {READY_SECONDS_MAX:g} s\n{logs}")
            await asyncio.sleep(POLL_SECONDS)
        return roles


@asynccontextmanager
async def running_laboratory(
    folder: Path,
    *,
    smtp_ports: tuple[int, int] = (0, 0),
    user_ports: tuple[int, int, int, int] = (0, 0, 0, 0),
    policy: str = DEFAULT_POLICY,
    shape: NodeShape = USUAL_SHAPE,
    is_wired: bool = False,
) -> AsyncIterator[Laboratory]:
    """Run a laboratory in an existing empty folder; all of it is stopped at the end, the folder stays.

    smtp_ports   wished for; another is taken where one is 0 or in use
    user_ports   the same, where users come in: with STARTTLS of both nodes, with TLS at once of both
    is_wired     the nodes, on loopback, reach each other over `wires`, which can be pulled
    Errors: LaboratoryFault, OSError.
    """
    async with AsyncExitStack() as stack:
        dkim_text = await asyncio.to_thread(make_keys, folder / "keys")
        services = shape.places.services
        dns = await serve_zones(zones(dkim_text, services), services)
        stack.push_async_callback(dns.close)
        smtp_sink = await _started_sink(stack, "sink", folder, services, is_lmtp=False)
        lmtp_sink = await _started_sink(stack, "mailboxes", folder, services, is_lmtp=True)
        smtp1, smtp2, user1, user2, tls1, tls2, watch1, watch2, link1, link2 = _free_ports(
            *smtp_ports, *user_ports, 0, 0, 0, 0
        )
        wires = tuple([await _laid_wire(stack, link) for link in (link2, link1)]) if is_wired else ()
        peer = (wires[0].port, wires[1].port) if wires else (link2, link1)
        clients = (smtp1, smtp2), (user1, user2), (tls1, tls2), (watch1, watch2)
        ports = Ports(dns.port, smtp_sink.port, lmtp_sink.port, *clients, (link1, link2), peer)
        first, second = lay_nodes(folder, ports, policy, shape)
        nodes = (await _started_node(stack, first), await _started_node(stack, second))
        yield Laboratory(dns, (smtp_sink, lmtp_sink), nodes, wires)


async def _started_sink(stack: AsyncExitStack, name: str, folder: Path, address: str, *, is_lmtp: bool) -> RunningSink:
    sink = await RunningSink.start(name, folder, address, is_lmtp=is_lmtp)
    stack.push_async_callback(sink.child.stop)
    return sink


async def _laid_wire(stack: AsyncExitStack, target_port: int) -> Wire:
    wire = await Wire.lay(HOST, target_port)
    stack.push_async_callback(wire.close)
    return wire


async def _started_node(stack: AsyncExitStack, files: NodeFiles) -> RunningNode:
    node = await RunningNode.start(files)
    stack.push_async_callback(node.stop)
    return node


def _free_ports(*wished: int) -> list[int]:
    """Return as many free ports of loopback, different ones; each the one wished for, if it is free."""
    ports: list[int] = []
    for port in wished:
        is_had = port and port not in ports and is_free(port)
        ports.append(port if is_had else _found(ports))
    return ports


def _found(taken: Sequence[int]) -> int:
    try:
        return free_port(*taken)
    except OSError as error:
        raise LaboratoryFault(str(error)) from error


async def wait_until(condition: Callable[[], bool], seconds_max: float) -> bool:
    """Wait until a condition holds; False when it did not in time."""
    deadline = asyncio.get_running_loop().time() + seconds_max
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
