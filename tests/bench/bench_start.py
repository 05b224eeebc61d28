"""Measure starts: from the command to the first greeting, and to the first delivery from the queue.

    python -m tests.bench.bench_start [--rounds 3] [--workers 2]

First a node alone, then a pair of which both nodes were killed. Something that its next hop refused waits in the queue.
All processes share this machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mtad.lab.layout import HOST, NodeShape
from mtad.lab.load import LoadPlan, run_load
from mtad.lab.pair import Laboratory, RunningNode, running_laboratory
from tests.chaos.world import POLICY

POLL_SECONDS = 0.01
SECONDS_MAX = 60.0
QUEUED = 20


async def _greets(node: RunningNode) -> bool:
    try:
        reader, writer = await asyncio.open_connection(HOST, node.files.smtp_port)
        line = await reader.readline()
        writer.close()
    except OSError:
        return False
    return line.startswith(b"220")


async def _seconds_until(condition: Callable[[], bool], began: float) -> float:
    while not condition():
        if time.monotonic() - began > SECONDS_MAX:
            raise SystemExit(f"nothing within {SECONDS_MAX:g} s")
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - began


async def _seconds_to_greeting(node: RunningNode, began: float) -> float:
    while not await _greets(node):
        if not node.child.is_running:
            raise SystemExit(f"{node.name} ended\n{node.child.last_lines()}")
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - began


async def start_again(laboratory: Laboratory, nodes: Sequence[RunningNode]) -> tuple[float, float]:
    """Queue something, kill these nodes, start them; return the seconds to the last greeting and to a delivery."""
    await laboratory.tell_sinks("dot 451")
    targets = tuple((HOST, node.files.smtp_port) for node in nodes)
    result = await run_load(LoadPlan(targets, f"{time.time_ns()}", QUEUED, 4, ("queued@example.test",), "you@lab.test"))
    waiting = {answer.lab_id for answer in result.accepted}
    for node in nodes:
        node.child.kill()
    for node in nodes:
        await node.child.ended()
    await laboratory.tell_sinks("dot 250")
    began = time.monotonic()
    for node in nodes:
        await node.restart()
    record = laboratory.smtp_sink.record

    def has_delivered() -> bool:
        return any(line.split("\t")[1] in waiting for line in record.read_text().splitlines())

    *greetings, delivery = await asyncio.gather(
        *(_seconds_to_greeting(node, began) for node in nodes), _seconds_until(has_delivered, began)
    )
    return max(greetings), delivery


def _say(title: str, runs: Sequence[tuple[float, float]]) -> None:
    greeting, delivery = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"{title:<28} greeting {greeting:.2f} s, first delivery from the queue {delivery:.2f} s", flush=True)


async def bench(arguments: argparse.Namespace) -> None:
    """Measure the pair of a laboratory, then one of its nodes alone."""
    with tempfile.TemporaryDirectory(prefix="mtad-start-") as name:
        shape = NodeShape(arguments.workers)
        async with running_laboratory(Path(name), policy=POLICY, shape=shape) as laboratory:
            runs = []
            for _ in range(arguments.rounds):
                await laboratory.wait_protected()
                runs.append(await start_again(laboratory, laboratory.nodes))
            _say("a pair, both killed", runs)
            await laboratory.wait_protected()
            first, second = laboratory.nodes
            await second.child.stop()
            alone = first.files.config.read_text().partition("[replication]")[0]
            first.files.config.write_text(alone)
            first.child.kill()
            await first.child.ended()
            await first.restart()
            await _seconds_to_greeting(first, time.monotonic())
            _say("a node alone, killed", [await start_again(laboratory, [first]) for _ in range(arguments.rounds)])


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
