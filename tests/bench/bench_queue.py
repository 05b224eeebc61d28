"""Measure a full queue: filling it, a fresh peer that catches up while mail comes, the takeover, the comparison.

    python -m tests.bench.bench_queue [--messages 100000] [--octets 4096] [--rate 200]

Both nodes are processes of this machine and share its cores and disk. The second one starts empty beside the first,
which holds everything; then the first ends, and the second must be ready to deliver.
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
from tests.bench.bench_replication import settings
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport

SUBMITTERS = 64
PAGE = 100
FAR_MS = 1 << 50
NEW = b"N"  # what the keys of mail that comes meanwhile begin with: behind all others


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


def run_second(chosen: NodeSettings, pipe: Connection) -> None:
    """Be the second node, in a process of its own; tell how many items it has, and how its takeover went."""

    async def serve() -> None:
        node = Node(chosen, CollectedReport())
        promoted = asyncio.Event()
        moments: dict[str, float] = {}

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
        pipe.send(node.listen_port)
        while (asked := await loop.run_in_executor(None, pipe.recv)) != "end":
            if asked == "count":
                pipe.send(node.status().totals.items)
            elif asked == "memory":
                pipe.send(memory())
            elif asked == "takeover":
                await promoted.wait()
                began = time.monotonic()
                await node.blob(node.due(FAR_MS, 1)[0].key)
                pipe.send((moments["promoted"], moments["page"] - moments["promoted"], time.monotonic() - began))
        await node.stop()

    uvloop.run(serve())


async def fill(node: Node, messages: int, blob: bytes) -> float:
    """Fill the queue; return the seconds it took."""
    numbers = iter(range(messages))

    async def submitter() -> None:
        for number in numbers:
            await node.submit([put(b"%012d" % number, blob)], wait=False)

    began = time.monotonic()
    await asyncio.gather(*(submitter() for _ in range(SUBMITTERS)))
    return time.monotonic() - began


async def accept(node: Node, rate: int, blob: bytes, waits: list[float]) -> None:
    """Take in new mail at a rate, for ever."""
    number = 0
    while True:
        began = time.monotonic()
        await node.submit([put(NEW + b"%012d" % number, blob)], wait=True)
        waits.append(time.monotonic() - began)
        number += 1
        await asyncio.sleep(max(0.0, 1 / rate - (time.monotonic() - began)))


async def catch_up(node: Node, pipe: Connection, arguments: argparse.Namespace, blob: bytes) -> None:
    """Let the fresh peer catch up while new mail comes."""
    waits: list[float] = []
    accepting = asyncio.create_task(accept(node, arguments.rate, blob, waits))
    began = time.monotonic()
    count = 0
    while node.status().protection != "protected" or count < arguments.messages:
        await asyncio.sleep(0.1)
        pipe.send("count")
        count = await asyncio.to_thread(pipe.recv)
    seconds = time.monotonic() - began
    accepting.cancel()
    waits.sort()
    octets = count * (arguments.octets + 200)
    print(
        f"catch-up: {count} messages in {seconds:.1f}s, {count / seconds:.0f}/s, {octets / seconds / 1e6:.0f} MB/s; "
        f"meanwhile {len(waits)} accepted, p50={waits[len(waits) // 2] * 1e3:.1f}ms "
        f"p99={waits[len(waits) * 99 // 100] * 1e3:.1f}ms",
        flush=True,
    )


async def bench(arguments: argparse.Namespace, folder: Path, credentials: tuple[Credentials, Credentials]) -> None:
    """Fill, catch up, take over."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    second = settings(folder, 1, credentials[1], listen_address="127.0.0.1:0")
    blob = b"x" * arguments.octets
    alone = Node(settings(folder, 0, None), CollectedReport())
    await alone.start()
    while not alone.is_owner:
        await asyncio.sleep(0.01)
    seconds = await fill(alone, arguments.messages, blob)
    print(f"fill: {arguments.messages} messages of {arguments.octets} octets in {seconds:.1f}s", flush=True)
    store_path = alone._settings.store_path
    await alone.stop()
    process = context.Process(target=run_second, args=(second, theirs), daemon=True)
    process.start()
    port = await asyncio.to_thread(pipe.recv)
    paired = settings(folder, 0, credentials[0], peer_address=f"127.0.0.1:{port}")
    paired = replace(paired, store_path=store_path)
    node = Node(paired, CollectedReport())
    began = time.monotonic()
    await node.start()
    print(f"start of a full node: {time.monotonic() - began:.2f}s", flush=True)
    await catch_up(node, pipe, arguments, blob)
    if not node.is_owner:  # on a busy machine the other may have been the first to promote itself
        await node.command("promote", force=True)
    pipe.send("memory")
    print(f"memory: first {memory()}; second {await asyncio.to_thread(pipe.recv)}", flush=True)
    await node.stop()
    ended = time.monotonic()
    pipe.send("takeover")
    promoted, page, content = await asyncio.to_thread(pipe.recv)
    print(
        f"takeover: promoted {promoted - ended:.2f}s after the end of the owner; the first {PAGE} due read in "
        f"{page * 1e3:.1f}ms, a content in {content * 1e3:.1f}ms",
        flush=True,
    )
    pipe.send("end")
    await asyncio.to_thread(process.join)


def main() -> None:
    """Run the bench on a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--rate", type=int, default=200, help="new messages a second during the catch-up")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        authority = CertificateAuthority(Path(name))
        uvloop.run(bench(arguments, Path(name), (authority.issue("a.test"), authority.issue("b.test"))))


if __name__ == "__main__":
    sys.exit(main())
