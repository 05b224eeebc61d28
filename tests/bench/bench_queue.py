"""Measure a full queue: filling it, a fresh peer that catches up while mail comes, one that was away, the takeover.

    python -m tests.bench.bench_queue [--messages 100000] [--octets 4096] [--away 20000] [--rate 200]

Both nodes are processes of this machine and share its cores and disk. The second one starts empty beside the first,
which holds everything, and gets a snapshot while both accept new mail. Then it is away while the first accepts more,
and gets that from the log. Then the first ends, and the second must be ready to deliver.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from replicator.core.values import Kind, PartValue, Record, Role
from replicator.node import Node
from replicator.settings import NodeSettings
from replicator.transport.certificates import Credentials
from tests.bench.bench_replication import SWITCH_SECONDS, settings
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport

SUBMITTERS = 64
PAGE = 100
FAR_MS = 1 << 50
ACCEPTORS = 4  # on each node, each at a share of the rate
CALM_SECONDS = 3.0


def put(key: bytes, blob: bytes) -> Record:
    """Return a message as the queue keeps it."""
    return Record(
        Kind.PUT, key, parts=((b"someone@example.net", PartValue(0, 0, 1, 1, b"")),), meta=b"m" * 200, blob=blob
    )


def memory() -> str:
    """Return what this process holds of its own, and at most held with the pages of the store."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own, peak = int(fields["RssAnon"].split()[0]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"own={own / 1024:.0f}MiB peak-with-mapped={peak / 1024:.0f}MiB"


class Accepting:
    """Takes in new mail at a rate, beside whatever else happens."""

    def __init__(self, node: Node, arguments: argparse.Namespace, name: bytes) -> None:
        self._node = node
        self._pause = ACCEPTORS / arguments.rate
        self._blob = b"y" * arguments.octets
        self._waits: list[float] = []
        self._began = time.monotonic()
        self._tasks = [asyncio.create_task(self._accept(b"%s-%d-" % (name, number))) for number in range(ACCEPTORS)]

    async def _accept(self, name: bytes) -> None:
        number = time.time_ns()
        while True:
            began = time.monotonic()
            await self._node.submit([put(name + b"%d" % number, self._blob)], wait=True)
            self._waits.append(time.monotonic() - began)
            number += 1
            await asyncio.sleep(max(0.0, self._pause - (time.monotonic() - began)))

    async def end(self) -> str:
        """Stop; return how it went."""
        seconds = time.monotonic() - self._began
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        waits = sorted(self._waits)
        return (
            f"{len(waits) / seconds:.0f} accepted/s, p50={waits[len(waits) // 2] * 1e3:.1f}ms "
            f"p99={waits[len(waits) * 99 // 100] * 1e3:.1f}ms max={waits[-1] * 1e3:.0f}ms"
        )


def run_second(chosen: NodeSettings, arguments: argparse.Namespace, pipe: Connection) -> None:
    """Be the second node, in a process of its own; tell how many items it has, and how its takeover went."""

    async def serve() -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        node = Node(chosen, CollectedReport())
        promoted = asyncio.Event()
        moments: dict[str, float] = {}
        accepting: Accepting | None = None

        def on_role(role: Role, _epoch: int, _why: str) -> None:
            promoted.clear()
            if role is Role.ACTIVE:
                moments["promoted"] = time.monotonic()
                for due in node.due(FAR_MS, PAGE):
                    node.item(due.key)
                moments["page"] = time.monotonic()
                promoted.set()

        node.on_role(on_role)
        await node.start()
        loop = asyncio.get_running_loop()
        port = node.listen_port
        pipe.send(port)
        while (asked := await loop.run_in_executor(None, pipe.recv)) != "end":
            if asked == "count":
                pipe.send(node.status().totals.items)
            elif asked == "memory":
                pipe.send(memory())
            elif asked == "accept":
                accepting = Accepting(node, arguments, b"2")
            elif asked == "accepted" and accepting is not None:
                pipe.send(await accepting.end())
            elif asked == "leave":
                await node.stop()
                pipe.send("gone")
            elif asked == "come back":
                node = Node(replace(chosen, listen_address=f"127.0.0.1:{port}"), CollectedReport())
                node.on_role(on_role)
                await node.start()
            elif asked == "takeover":
                await promoted.wait()
                began = time.monotonic()
                await node.blob(node.due(FAR_MS, 1)[0].key)
                pipe.send((moments["promoted"], moments["page"] - moments["promoted"], time.monotonic() - began))
        await node.stop()

    uvloop.run(serve())


async def fill(node: Node, first: int, messages: int, blob: bytes) -> float:
    """Fill the queue; return the seconds it took."""
    numbers = iter(range(first, first + messages))

    async def submitter() -> None:
        for number in numbers:
            await node.submit([put(b"%012d" % number, blob)], wait=False)

    began = time.monotonic()
    await asyncio.gather(*(submitter() for _ in range(SUBMITTERS)))
    return time.monotonic() - began


async def catch_up(how: str, node: Node, pipe: Connection, arguments: argparse.Namespace, have: int) -> None:
    """Let the peer catch up while new mail comes to both. have: how many it held before."""
    pipe.send("accept")
    accepting = Accepting(node, arguments, b"1")
    began = time.monotonic()
    count, looks = 0, 0.0
    while node.status().protection != "protected" or count < arguments.messages:
        await asyncio.sleep(0.1)
        pipe.send("count")
        count = await asyncio.to_thread(pipe.recv)
        looked = time.monotonic()
        node.status()
        node.items(limit=PAGE)
        looks = max(looks, time.monotonic() - looked)
    seconds = time.monotonic() - began
    pipe.send("accepted")
    second = await asyncio.to_thread(pipe.recv)
    came = count - have
    print(
        f"catch-up {how}: {came} messages in {seconds:.1f}s, {came / seconds:.0f}/s, "
        f"{came * (arguments.octets + 200) / seconds / 1e6:.0f} MB/s\n"
        f"  meanwhile: first {await accepting.end()}\n"
        f"             second {second}\n"
        f"             status and {PAGE} items of the first at most {looks * 1e3:.1f}ms",
        flush=True,
    )


async def bench(arguments: argparse.Namespace, folder: Path, credentials: tuple[Credentials, Credentials]) -> None:
    """Fill, catch up in both ways, take over."""
    sys.setswitchinterval(SWITCH_SECONDS)
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    second = settings(folder, 1, credentials[1], listen_address="127.0.0.1:0")
    blob = b"x" * arguments.octets
    alone = Node(settings(folder, 0, None), CollectedReport())
    await alone.start()
    while not alone.is_owner:
        await asyncio.sleep(0.01)
    seconds = await fill(alone, 0, arguments.messages, blob)
    print(f"fill: {arguments.messages} messages of {arguments.octets} octets in {seconds:.1f}s", flush=True)
    store_path = alone._settings.store_path
    await alone.stop()
    process = context.Process(target=run_second, args=(second, arguments, theirs), daemon=True)
    process.start()
    port = await asyncio.to_thread(pipe.recv)
    paired = settings(folder, 0, credentials[0], peer_address=f"127.0.0.1:{port}")
    paired = replace(paired, store_path=store_path)
    node = Node(paired, CollectedReport())
    began = time.monotonic()
    await node.start()
    print(f"start of a full node: {time.monotonic() - began:.2f}s", flush=True)
    await catch_up("by snapshot", node, pipe, arguments, 0)
    accepting = Accepting(node, arguments, b"1")
    await asyncio.sleep(CALM_SECONDS)
    print(f"  afterwards: first {await accepting.end()}", flush=True)
    pipe.send("leave")
    await asyncio.to_thread(pipe.recv)
    while node.status().protection != "degraded":
        await asyncio.sleep(0.1)
    have = node.status().totals.items
    await fill(node, arguments.messages, arguments.away, blob)
    pipe.send("come back")
    await catch_up("by log", node, pipe, arguments, have)
    if not node.is_owner:  # on a busy machine the other may have been the first to promote itself
        await node.command("promote", force=True)
    pipe.send("memory")
    print(f"memory: first {memory()}; second {await asyncio.to_thread(pipe.recv)}", flush=True)
    await node.stop()
    ended = time.monotonic()
    pipe.send("takeover")
    promoted, page, content = await asyncio.to_thread(pipe.recv)
    patience = paired.promote_after_seconds
    print(
        f"takeover: promoted {promoted - ended:.2f}s after the owner's end ({promoted - ended - patience:.2f}s beyond "
        f"the silence of {patience:g}s); the first {PAGE} due read in {page * 1e3:.1f}ms, a content in "
        f"{content * 1e3:.1f}ms",
        flush=True,
    )
    pipe.send("end")
    await asyncio.to_thread(process.join)


def main() -> None:
    """Run the bench on a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--away", type=int, default=20_000, help="messages accepted while the peer is away")
    parser.add_argument("--rate", type=int, default=200, help="new messages a second on each node, during a catch-up")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        authority = CertificateAuthority(Path(name))
        uvloop.run(bench(arguments, Path(name), (authority.issue("a.test"), authority.issue("b.test"))))


if __name__ == "__main__":
    main()
