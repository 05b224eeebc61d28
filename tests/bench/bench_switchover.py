"""Measure planned switchovers under load: what is lost, what comes twice, and for how long nothing moves.

    python -m tests.bench.bench_switchover [--switchovers 6] [--rate 40] [--authority pair] [--workers 2]
        [--hop-delay 0.3]

A pair of real processes is sent mail without a pause, at both nodes. Of ten messages seven are delivered through, two
are queued by policy, and one is refused by its next hop again and again until the end; next hops take their time, so
that work is in flight whenever a switchover begins. Exit code 1 when anything is lost or comes twice, when a switchover
is not done, or a pause is longer than PAUSE_SECONDS_MAX.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from mtad.lab.load import LoadPlan, LoadResult, run_load
from mtad.lab.pair import wait_until
from mtad.lab.sink import Delivery
from tests.chaos.plan import Era
from tests.chaos.world import DSN_PATH, LATER, World, now_ms, running_world

PAUSE_SECONDS_MAX = 2.0
APART_SECONDS = 3.0  # from the end of one switchover to the next
MTACTL_SECONDS = 4.0  # that a command may take, with its start, on a busy machine; the load lasts for as long
WINDOW_MS = (-200, 4_000)  # around the moment of the command, in which its pauses are looked for
DRAIN_SECONDS_MAX = 60.0
RECIPIENTS = (
    *("friend@example.test", "neighbour@local.test", "queued@example.test", "friend@example.test"),
    *("neighbour@local.test", "queued@local.test", "friend@example.test", LATER, "friend@example.test"),
    "neighbour@local.test",
)


@dataclass(slots=True)
class Measured:
    """What the run showed."""

    told: list[str] = field(default_factory=list)  # what the operator was told, one a switchover
    undone: list[str] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)
    delivery_pauses: list[float] = field(default_factory=list)
    accept_pauses: list[float] = field(default_factory=list)
    usual_delivery_pause: float = 0.0
    lost: int = 0
    twice: Counter[str] = field(default_factory=Counter)
    never_accepted: int = 0

    @property
    def is_good(self) -> bool:
        """Tell whether the switchovers were what they promise."""
        pauses = [*self.delivery_pauses, *self.accept_pauses]
        is_whole = not (self.lost or self.twice or self.never_accepted or self.undone)
        return is_whole and bool(self.at_ms) and max(pauses) <= PAUSE_SECONDS_MAX


def longest_pause(moments: Sequence[int], begin_ms: int, end_ms: int) -> float:
    """Return the longest time between two of these moments, in order, of which it touches the window; in seconds."""
    inside = [(a, b) for a, b in pairwise(moments) if b >= begin_ms and a <= end_ms]
    return max((b - a for a, b in inside), default=end_ms - begin_ms) / 1000


async def measure(world: World, switchovers: int, rate: float) -> Measured:
    """Send mail, hand over again and again, and count at the end."""
    measured = Measured()
    plan = LoadPlan(
        targets=tuple((node.files.smtp_host, node.files.smtp_port) for node in world.nodes),
        run="switchover",
        messages_count=int(rate * (switchovers + 1) * (APART_SECONDS + MTACTL_SECONDS)),
        sessions_count=12,
        recipients=RECIPIENTS,
        reverse_path=DSN_PATH,
        rate_max=rate,
    )
    load = asyncio.create_task(run_load(plan, world.accepted.append))
    for _ in range(switchovers):
        await asyncio.sleep(APART_SECONDS)
        active = world.named("active")
        measured.at_ms.append(now_ms())
        began = time.monotonic()
        code, said = await world.mtactl(active, "replica", "switchover")
        said = re.sub(r"\s+", " ", said)
        measured.told.append(f"{active.name}: {said} (mtactl took {time.monotonic() - began:.1f} s)")
        if code:
            measured.undone.append(f"{active.name}: exit code {code}: {said}")
    result = await load
    await world.tell_sinks(f"dot 250 {LATER}")
    wanted = {(answer.lab_id, answer.recipient) for answer in world.accepted}
    await wait_until(
        lambda: wanted <= {(each.lab_id, each.recipient) for each in world.laboratory.delivered()}, DRAIN_SECONDS_MAX
    )
    _count(world, measured, result)
    return measured


def _count(world: World, measured: Measured, result: LoadResult) -> None:
    deliveries: list[Delivery] = sorted(world.laboratory.delivered(), key=lambda each: each.at_ms)
    copies = Counter((each.lab_id, each.recipient) for each in deliveries)
    measured.lost = sum((answer.lab_id, answer.recipient) not in copies for answer in world.accepted)
    measured.twice = Counter({lab_id: count for (lab_id, _), count in copies.items() if count > 1})
    measured.never_accepted = len(result.abandoned)
    queued = {answer.lab_id for answer in world.accepted if answer.is_queued}
    redelivered = [each.at_ms for each in deliveries if each.lab_id in queued and each.recipient != LATER]
    replies = sorted(answer.at_ms for answer in world.accepted)
    for at_ms in measured.at_ms:
        window = (at_ms + WINDOW_MS[0], at_ms + WINDOW_MS[1])
        measured.delivery_pauses.append(longest_pause(redelivered, *window))
        measured.accept_pauses.append(longest_pause(replies, *window))
    calm = (measured.at_ms[0] - int(APART_SECONDS * 1000) + 500, measured.at_ms[0] + WINDOW_MS[0])
    measured.usual_delivery_pause = longest_pause([at for at in redelivered if at <= calm[1]], *calm)


async def bench(arguments: argparse.Namespace) -> Measured:
    """Run it in a laboratory of its own."""
    era = Era(arguments.workers, False, arguments.authority)
    with tempfile.TemporaryDirectory(prefix="mtad-switchover-") as name:
        async with running_world(Path(name), era) as world:
            await world.tell_sinks(f"delay {arguments.hop_delay:g}")
            return await measure(world, arguments.switchovers, arguments.rate)


def lines(measured: Measured) -> list[str]:
    """Return the result for people."""

    def pauses(found: Sequence[float]) -> str:
        return f"median {statistics.median(found):.2f} s, at most {max(found):.2f} s (allowed: {PAUSE_SECONDS_MAX:g} s)"

    return [
        *measured.told,
        f"switchovers          {len(measured.at_ms)}, not done: {len(measured.undone)}",
        f"lost                 {measured.lost}",
        f"came twice           {measured.twice.total() - len(measured.twice)}",
        f"never accepted       {measured.never_accepted}",
        f"delivery pause       {pauses(measured.delivery_pauses)}; {measured.usual_delivery_pause:.2f} s before any",
        f"accept pause         {pauses(measured.accept_pauses)}",
    ]


def main() -> int:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switchovers", type=int, default=6)
    parser.add_argument("--rate", type=float, default=40.0, help="messages a second")
    parser.add_argument("--authority", choices=("pair", "witness"), default="pair")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hop-delay", type=float, default=0.3, help="seconds for which a next hop keeps a reply back")
    measured = asyncio.run(bench(parser.parse_args()))
    print("\n".join(lines(measured)))
    return 0 if measured.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
