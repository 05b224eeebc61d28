"""CPU of a message in each process of a node: microseconds of user and system time, from /proc.

    python -m tests.bench.mail_cost [--messages 4000] [--rounds 3] [--only through]

Robust to what else the machine does, as rates are not. Two workers; 4 KB messages, signed with RSA-2048, from 20
sessions; see `bench_mail` for what the scenarios are. `--beside` runs a command while it loads: a profiler, say.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.bench_mail import SESSIONS, WORKERS, sink
from tests.peers.mtad import DOMAIN, MtadNode, pair, policy_to, single
from tests.peers.postfix import smtp_source
from tests.peers.process import wait_until

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
HELD = policy_to(1, actions="queue;", retry=':intervals ["86400"]')


@dataclass(frozen=True, slots=True)
class Way:
    """How messages are sent: many a connection or one; and whether the queue is waited for until it is empty."""

    is_many: bool = False
    is_emptied: bool = False


def processes(node: MtadNode) -> dict[int, str]:
    """Return the children of a node's supervisor by pid: 'worker' or 'spool_process'."""
    assert node.process is not None
    pid = node.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    words = {int(child): Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in children}
    return {child: name.rpartition(".")[2] for child, said in words.items() for name in said if "mtad.main." in name}


def spent(nodes: Mapping[str, MtadNode]) -> dict[str, float]:
    """Return the microseconds that each kind of process has used, user and system."""
    found: dict[str, float] = defaultdict(float)
    for name, node in nodes.items():
        for pid, kind in processes(node).items():
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[f"{name}, {kind}"] += (int(after_name[11]) + int(after_name[12])) / _TICKS_A_SECOND * 1e6
    return found


@contextmanager
def beside(command: str, nodes: Mapping[str, MtadNode]) -> Iterator[None]:
    """Run a command for each process of the nodes, `{pid}` and `{name}` filled in, and wait for its end."""
    runs = [
        subprocess.Popen(command.format(pid=pid, name=f"{name}-{kind}-{pid}"), shell=True)
        for name, node in nodes.items()
        for pid, kind in processes(node).items()
        if command
    ]
    yield
    for run in runs:
        run.wait()


def cost(nodes: Mapping[str, MtadNode], messages: int, way: Way, command: str) -> dict[str, float]:
    """Send messages to the first node; return what each kind of process has used for one.

    What is to be delivered from the queue is waited for.
    """
    first = next(iter(nodes.values()))
    with beside(command, nodes):
        before = spent(nodes)
        smtp_source(
            first.smtp_port,
            messages=messages,
            sessions=SESSIONS,
            sender=f"a@{DOMAIN}",
            is_many_a_connection=way.is_many,
        )
        if way.is_emptied:
            wait_until(lambda: first.status()["queue"]["messages"] == 0, "the queue is empty", first.log)
        after = spent(nodes)
    return {name: (after[name] - before[name]) / messages for name in after}


@contextmanager
def through() -> Iterator[dict[str, MtadNode]]:
    """Run a node that delivers while the client waits."""
    with sink() as target, single(policy_to(target.port), WORKERS) as node:
        yield {"node": node}


@contextmanager
def alone() -> Iterator[dict[str, MtadNode]]:
    """Run a node without a pair that queues everything and delivers nothing."""
    with single(HELD, WORKERS) as node:
        yield {"node": node}


@contextmanager
def paired() -> Iterator[dict[str, MtadNode]]:
    """Run a pair of such."""
    with pair(HELD, WORKERS) as (one, two):
        yield {"active": one, "passive": two}


@contextmanager
def delivering(claim_seconds: float) -> Iterator[dict[str, MtadNode]]:
    """Run a pair that queues everything and delivers it from there."""
    extra = {**WORKERS, "replication": {"claim_seconds": claim_seconds}}
    with sink() as target, pair(policy_to(target.port, actions="queue;"), extra) as (one, two):
        yield {"active": one, "passive": two}


SCENARIOS = {
    "through": (through, Way(is_many=True)),
    "through, one a connection": (through, Way()),
    "queued alone": (alone, Way()),
    "queued on two": (paired, Way()),
    "delivered from two": (partial(delivering, 60), Way(is_emptied=True)),
    "delivered from two, without claims": (partial(delivering, 0), Way(is_emptied=True)),
}


def main() -> None:
    """Measure every scenario and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=SCENARIOS, action="append")
    parser.add_argument("--beside", default="", help="a command run beside each process, with {pid} and {name}")
    options = parser.parse_args()
    print("| scenario | process | µs a message |\n| --- | --- | --- |")
    for name in options.only or SCENARIOS:
        run, way = SCENARIOS[name]
        with run() as nodes:
            cost(nodes, options.messages // 4, way, "")  # warms up
            found = [cost(nodes, options.messages, way, options.beside) for _ in range(options.rounds)]
        for process in found[0]:
            costs = [one[process] for one in found]
            print(f"| {name} | {process} | {statistics.median(costs):.0f} ({min(costs):.0f}-{max(costs):.0f}) |")


if __name__ == "__main__":
    main()
