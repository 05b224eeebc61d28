"""Measure submits a second: waiting submitters, this node alone and with a peer in another process.

    python -m tests.bench.bench_replication [--seconds 3] [--rounds 3] [--octets 4096]

Prints the medians of the rounds. Both processes share this machine's cores and disk: compare the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import uvloop

from replicator.core.values import Durability, Kind, PartValue, Record
from replicator.node import Node
from replicator.settings import NodeSettings
from replicator.transport.certificates import Credentials
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport

SUBMITTERS = (1, 16, 64)
WARM_SECONDS = 0.5
SWITCH_SECONDS = 0.0005


class Run(NamedTuple):
    """One round."""

    rate: float  # submits a second
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of this process, a submit


def settings(folder: Path, node: int, credentials: Credentials | None, **more: str) -> NodeSettings:
    """Return the settings of one of the two; without credentials it is alone."""
    path = folder / f"store-{node}-{time.monotonic_ns()}"
    if credentials is None:
        return NodeSettings("bench", node, "a.test", path, 2, log_octets_max=16 << 20)
    return NodeSettings(
        "bench",
        node,
        "ab"[node] + ".test",
        path,
        2,
        peer_node=1 - node,
        peer_name="ba"[node] + ".test",
        ca_path=credentials.ca_path,
        cert_path=credentials.cert_path,
        key_path=credentials.key_path,
        **more,  # type: ignore[arg-type]
    )


def run_peer(folder: Path, credentials: Credentials, pipe: Connection) -> None:
    """Be the peer, in a process of its own, until the pipe closes."""
    sys.setswitchinterval(SWITCH_SECONDS)

    async def serve() -> None:
        node = Node(settings(folder, 1, credentials, listen_address="127.0.0.1:0"), CollectedReport())
        await node.start()
        pipe.send(node.listen_port)
        await asyncio.to_thread(pipe.recv)
        await node.stop()

    uvloop.run(serve())


async def one_round(node: Node, submitters: int, seconds: float, blob: bytes, keys: itertools.count[int]) -> Run:
    """Submit new items as fast as the answers come."""
    expected = Durability.LOCAL if node.status().peer.state == "none" else Durability.REMOTE
    waits: list[float] = []
    begin = time.perf_counter() + WARM_SECONDS
    end = begin + seconds

    async def submitter() -> None:
        while (sent := time.perf_counter()) < end:
            key = b"%012d" % next(keys)
            put = Record(Kind.PUT, key, parts=((b"someone@example.net", PartValue(0, 0, 1, 1, b"")),), blob=blob)
            submitted = await node.submit([put], wait=True)
            if submitted.durability is not expected:
                raise SystemExit(f"expected {expected.name}, came {submitted}")
            if sent >= begin:
                waits.append(time.perf_counter() - sent)

    cpu = time.process_time()
    await asyncio.gather(*(submitter() for _ in range(submitters)))
    cpu = time.process_time() - cpu
    waits.sort()
    at = len(waits) / seconds
    share = seconds / (seconds + WARM_SECONDS)
    return Run(at, waits[len(waits) // 2] * 1e3, waits[len(waits) * 99 // 100] * 1e3, cpu * share / len(waits) * 1e6)


async def measure(title: str, node: Node, arguments: argparse.Namespace) -> None:
    """Run all rounds on one node and print their medians."""
    keys = itertools.count()
    blob = b"x" * arguments.octets
    for submitters in SUBMITTERS:
        runs = [await one_round(node, submitters, arguments.seconds, blob, keys) for _ in range(arguments.rounds)]
        rate, p50, p99, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{title:8} submitters={submitters:<3} submits/s={rate:<8.0f} p50={p50:.2f}ms p99={p99:.2f}ms "
            f"cpu={cpu:.0f}us",
            flush=True,
        )


async def bench(arguments: argparse.Namespace, folder: Path) -> None:
    """Measure alone, then with the peer."""
    alone = Node(settings(folder, 0, None), CollectedReport())
    await alone.start()
    await measure("local", alone, arguments)
    await alone.stop()
    authority = CertificateAuthority(folder)
    ours, theirs = authority.issue("a.test"), authority.issue("b.test")
    context = multiprocessing.get_context("spawn")
    pipe, far_pipe = context.Pipe()
    peer = context.Process(target=run_peer, args=(folder, theirs, far_pipe))
    peer.start()
    port = await asyncio.to_thread(pipe.recv)
    node = Node(settings(folder, 0, ours, peer_address=f"127.0.0.1:{port}"), CollectedReport())
    await node.start()
    while node.status().peer.state != "up":
        await asyncio.sleep(0.05)
    await measure("pair", node, arguments)
    await node.stop()
    pipe.send("end")
    await asyncio.to_thread(peer.join)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--folder", type=Path, help="where the stores are made; default: a temporary folder")
    arguments = parser.parse_args()
    sys.setswitchinterval(SWITCH_SECONDS)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        uvloop.run(bench(arguments, Path(scratch)))


if __name__ == "__main__":
    main()
