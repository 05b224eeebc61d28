"""The demonstration: kill the active node under load, and count what arrives.

Every message that a client was told 250 for must be at a sink at least once. The clients try both nodes, as anybody
does who finds two MX records.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtad.lab.layout import HOST, LOCAL_DOMAIN, PAIR_DOMAIN, REMOTE_DOMAIN
from mtad.lab.load import Accepted, LoadPlan, LoadResult, run_load
from mtad.lab.pair import Laboratory, LaboratoryFault, RunningNode, wait_until
from mtad.lab.sink import Delivery

PHASE_SECONDS_MAX = 60.0
DRAIN_SECONDS_MAX = 90.0


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """How many messages in each phase."""

    messages_count: int = 600
    sessions_count: int = 8
    through_count: int = 200  # answered by the next hops before these say 451
    queued_count: int = 150  # queued on both nodes before the active is killed
    rate_max: float = 150.0  # messages a second


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the messages."""

    accepted: int
    through: int
    queued: int
    taken_over: int  # queued before the kill, delivered after it
    duplicates: int
    resent: int  # by clients whose connection broke before the reply: a duplicate at most
    lost: int
    abandoned: int  # never answered 250; none is lost, the clients still have them
    redelivery_seconds: float | None  # from SIGKILL to the first message of the queue at its next hop

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, and there was a queue to take over."""
        return self.lost == self.abandoned == 0 and self.taken_over > 0 and self.redelivery_seconds is not None

    def lines(self) -> list[tuple[str, str]]:
        """Return the summary as names and values."""
        seconds = self.redelivery_seconds
        return [
            ("accepted (250)", str(self.accepted)),
            ("delivered through", str(self.through)),
            ("queued", str(self.queued)),
            ("taken over", str(self.taken_over)),
            ("duplicates", f"{self.duplicates} ({self.resent} were sent again: connection broke before the reply)"),
            ("lost", str(self.lost)),
            *([("never accepted", str(self.abandoned))] if self.abandoned else []),
            ("SIGKILL to first redelivery", "never" if seconds is None else f"{seconds:.1f} s"),
        ]


def summarise(result: LoadResult, deliveries: Iterable[Delivery], killed_at_ms: int) -> Summary:
    """Compare what the clients were told with what the sinks have."""
    arrived: Counter[tuple[str, str]] = Counter()
    queued_before = {each.lab_id for each in result.accepted if each.is_queued and each.at_ms <= killed_at_ms}
    taken_over: set[str] = set()
    first_ms: int | None = None
    for delivery in deliveries:
        arrived[delivery.lab_id, delivery.recipient] += 1
        if delivery.lab_id in queued_before and delivery.at_ms > killed_at_ms:
            taken_over.add(delivery.lab_id)
            first_ms = delivery.at_ms if first_ms is None else min(first_ms, delivery.at_ms)
    return Summary(
        accepted=len(result.accepted),
        through=sum(each.is_through for each in result.accepted),
        queued=sum(each.is_queued for each in result.accepted),
        taken_over=len(taken_over),
        duplicates=sum(count - 1 for count in arrived.values()),
        resent=result.lost_replies_count,
        lost=len(missing(result.accepted, arrived)),
        abandoned=len(result.abandoned),
        redelivery_seconds=None if first_ms is None else (first_ms - killed_at_ms) / 1000,
    )


def missing(accepted: Sequence[Accepted], arrived: Iterable[tuple[str, str]]) -> list[Accepted]:
    """Return what was answered 250 and is at no sink."""
    there = set(arrived)
    return [each for each in accepted if (each.lab_id, each.recipient) not in there]


async def run_demo(
    laboratory: Laboratory, log: Path, say: Callable[[str], None], plan: DemoPlan | None = None
) -> Summary:
    """Run the demonstration in a laboratory that is up.

    log   each 250 becomes one line of it as soon as it is read: id, recipient, port, reply
    Errors: LaboratoryFault, when a phase does not come to its end.
    """
    plan = plan or DemoPlan()
    accepted: list[Accepted] = []
    with log.open("a", buffering=1) as lines:

        def keep(answer: Accepted) -> None:
            accepted.append(answer)
            lines.write(f"{answer.lab_id}\t{answer.recipient}\t{answer.target[1]}\t{answer.reply}\n")

        say(f"{plan.sessions_count} sessions send {plan.messages_count} messages; the next hops answer 250")
        load = asyncio.create_task(run_load(_load_plan(laboratory, plan), keep))
        try:
            killed_at_ms, survivor = await _break_it(laboratory, plan, accepted, say)
            result = await load
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
        say(f"all {len(result.accepted)} messages are accepted; waiting until the queue is empty")
        await _drain(laboratory, survivor, result)
    return summarise(result, laboratory.delivered(), killed_at_ms)


def _load_plan(laboratory: Laboratory, plan: DemoPlan) -> LoadPlan:
    return LoadPlan(
        targets=tuple((HOST, node.files.smtp_port) for node in laboratory.nodes),
        run=f"demo{time.time_ns() // 1_000_000}",
        messages_count=plan.messages_count,
        sessions_count=plan.sessions_count,
        recipients=(f"friend@{REMOTE_DOMAIN}", f"neighbour@{LOCAL_DOMAIN}"),
        reverse_path=f"you@{PAIR_DOMAIN}",
        rate_max=plan.rate_max,
    )


async def _break_it(
    laboratory: Laboratory, plan: DemoPlan, accepted: Sequence[Accepted], say: Callable[[str], None]
) -> tuple[int, RunningNode]:
    """Let a queue grow, kill the active node, heal the next hops; return when that was, and the survivor."""
    await _reached(lambda: len(accepted) >= plan.through_count, "messages that go through")
    say(f"{sum(each.is_through for each in accepted)} went through; now the next hops answer 451")
    await laboratory.tell_sinks("dot 451")
    await _reached(lambda: sum(each.is_queued for each in accepted) >= plan.queued_count, "messages that are queued")
    active, survivor = await laboratory.wait_protected()
    queued = sum(each.is_queued for each in accepted)
    killed_at_ms = time.time_ns() // 1_000_000
    active.child.kill()
    await laboratory.tell_sinks("reset")
    say(f"{queued} are queued on both nodes; {active.name} was killed (SIGKILL); the next hops answer 250 again")
    return killed_at_ms, survivor


async def _reached(condition: Callable[[], bool], what: str) -> None:
    if not await wait_until(condition, PHASE_SECONDS_MAX):
        raise LaboratoryFault(f"not enough {what} in {PHASE_SECONDS_MAX:g} s")


async def _drain(laboratory: Laboratory, survivor: RunningNode, result: LoadResult) -> None:
    """Wait until the survivor's queue is empty and everything has arrived, or the time is up: the summary tells."""
    deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS_MAX
    while asyncio.get_running_loop().time() < deadline:
        view = await survivor.view()
        there = {(delivery.lab_id, delivery.recipient) for delivery in laboratory.delivered()}
        if view is not None and view.queue_messages == 0 and not missing(result.accepted, there):
            return
        await asyncio.sleep(0.3)
