"""One round: load, faults, healing, convergence, and the count."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest

from mtad.lab.load import Failed, LoadPlan, LoadResult, run_load
from mtad.lab.sink import Delivery
from tests.chaos.checker import Evidence, Findings, Sighting, check, queue_id_of, two_owners
from tests.chaos.faults import apply
from tests.chaos.plan import CALM, MOODS, STOPS_DELIVERY, Mood, Round
from tests.chaos.world import BOUNCED, DSN_PATH, LATER, Done, Marks, World, now_ms

RATE = 40.0  # messages a second
SESSIONS_COUNT = 12
REPLY_SECONDS_MAX = 8.0
LATE_LOAD_SECONDS_MAX = 60.0  # after the last fault has ended: what clients could not send before
CONVERGE_SECONDS_MAX = 60.0
DRAIN_SECONDS_MAX = 90.0  # a minute more may pass before what a dead node had in hand is tried by the other
FIRST_REDELIVERY_SECONDS_MAX = 15.0
SLOW_SECONDS = 10.0  # a convergence that takes longer says what it waits for
SERIES_SECONDS = range(-3, 13)  # of the availability around a fault
LISTED_MAX = 10  # messages that a failure names
RECIPIENTS = (
    "friend@example.test",
    "neighbour@local.test",
    "queued@example.test",
    "friend@example.test",
    "neighbour@local.test",
    LATER,
    "queued@local.test",
    "friend@example.test",
    "neighbour@local.test",
    BOUNCED,
)


@dataclass(slots=True)
class Outcome:
    """What a round showed."""

    round: Round
    marks: Marks = field(default_factory=Marks)
    findings: Findings = field(default_factory=lambda: Findings((), (), (), ()))
    failures: list[str] = field(default_factory=list)  # what makes the round a failed one
    accepted_count: int = 0
    abandoned_count: int = 0
    promotions: int = 0
    redelivery_seconds: list[float] = field(default_factory=list)
    converge_seconds: float = 0.0
    drain_seconds: float = 0.0
    series: dict[str, list[int]] = field(default_factory=dict)  # 250s a second around each fault
    gap_seconds: dict[str, float] = field(default_factory=dict)  # longest time without a 250 after each fault
    tracebacks: int = 0


async def run_round(world: World, plan: Round) -> Outcome:
    """Run one round in a pair that is up and whole. Errors: LaboratoryFault, OSError."""
    outcome = Outcome(plan)
    world.begin(outcome.marks)
    run = f"r{plan.seed}-{plan.number}-{now_ms()}"
    tracebacks = await asyncio.to_thread(world.logs_with, "Traceback")
    failed: list[Failed] = []
    load = asyncio.create_task(run_load(_load_plan(world, plan, run), world.accepted.append, failed.append))
    try:
        await _break(world, plan)
        result = await asyncio.wait_for(load, plan.load_seconds + LATE_LOAD_SECONDS_MAX)
    except TimeoutError:
        result = LoadResult()
        outcome.failures.append(f"the clients are not served {LATE_LOAD_SECONDS_MAX:g} s after the last fault")
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
    outcome.accepted_count, outcome.abandoned_count = len(world.accepted), len(result.abandoned)
    outcome.converge_seconds = await _bounded(outcome, "convergence", _converge(world), CONVERGE_SECONDS_MAX)
    world.untrusted.clear()
    await world.look_for_copies(*world.nodes)
    await world.tell_sinks(f"dot 250 {LATER}")
    outcome.drain_seconds = await _bounded(outcome, "empty queues", _drain(world), DRAIN_SECONDS_MAX)
    await world.tell_sinks(f"dot 451 {LATER}")
    deliveries = [each for each in await world.delivered() if run in each.lab_id or run in each.recipient]
    await _judge(world, outcome, deliveries, failed)
    _measure(world, outcome, deliveries)
    outcome.tracebacks = await asyncio.to_thread(world.logs_with, "Traceback") - tracebacks
    return outcome


def _load_plan(world: World, plan: Round, run: str) -> LoadPlan:
    return LoadPlan(
        targets=tuple((node.files.smtp_host, node.files.smtp_port) for node in world.nodes),
        run=run,
        messages_count=int(RATE * plan.load_seconds),
        sessions_count=SESSIONS_COUNT,
        recipients=RECIPIENTS,
        reverse_path=DSN_PATH,
        attempts_max=600,
        rate_max=RATE,
        reply_seconds_max=REPLY_SECONDS_MAX,
    )


async def _break(world: World, plan: Round) -> None:
    """Do all that the round's plan says; return when all of it is undone."""

    async def after(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(seconds)
        await act()

    async with asyncio.TaskGroup() as group:
        for fault in plan.faults:
            group.create_task(after(fault.at_seconds, lambda fault=fault: apply(world, fault)))  # type: ignore[misc]
        for mood in plan.moods:
            group.create_task(after(mood.at_seconds, lambda mood=mood: _be(world, mood)))  # type: ignore[misc]


async def _be(world: World, mood: Mood) -> None:
    """Have the next hops answer in a mood for a while."""
    began = now_ms()
    await world.tell_sinks(*MOODS[mood.name])
    await asyncio.sleep(mood.lasts_seconds)
    await world.tell_sinks(*CALM)
    if mood.name == "hangs":
        await world.tell_sinks("drop")
    world.marks.moods.append((began, now_ms()))
    if mood.name == "closes":
        world.marks.closing.append((began, now_ms()))


async def _bounded(outcome: Outcome, what: str, act: Awaitable[None], seconds_max: float) -> float:
    """Wait for something; mark the round as failed when it takes longer. Return how long it took."""
    began = time.monotonic()
    try:
        await asyncio.wait_for(act, seconds_max)
    except TimeoutError:
        outcome.failures.append(f"no {what} within {seconds_max:g} s")
    return time.monotonic() - began


async def _converge(world: World) -> None:
    """Wait until one node is active and the other passive, both copies are kept, and both queues are equal."""
    began = time.monotonic()
    while True:
        for node in world.nodes:
            if not node.child.is_running:
                world.marks.notes.append(f"{node.name} had ended by itself with {node.child.exit_code}")
                await world.revive(node)
        if await world.laboratory.roles() is not None:
            one, two = await asyncio.gather(*(world.queue_of(node) for node in world.nodes))
            if one is not None and one == two:
                return
            if time.monotonic() - began > SLOW_SECONDS:
                different = [pair for pair in zip_longest(one or (), two or ()) if pair[0] != pair[1]]
                world.marks.notes.append(f"{len(different)} lines of the queues differ: {different[:1]}")
        elif time.monotonic() - began > SLOW_SECONDS:
            world.marks.notes.append(f"the pair is not whole: {[await node.view() for node in world.nodes]}")
        await asyncio.sleep(0.3)


async def _drain(world: World) -> None:
    """Wait until both queues are empty."""
    while True:
        views = [await node.view() for node in world.nodes]
        if all(view is not None and view.queue_messages == 0 for view in views):
            return
        await asyncio.sleep(0.2)


async def _judge(world: World, outcome: Outcome, deliveries: Sequence[Delivery], failed: Sequence[Failed]) -> None:
    """Have the checker look at the evidence; what it must not find fails the round."""
    marks = outcome.marks
    evidence = Evidence(
        accepted=world.accepted,
        deliveries=deliveries,
        bounced=frozenset({BOUNCED}),
        dsn_path=DSN_PATH,
        failed=failed,
        in_queue=await world.waiting_ids(),
        wipes=marks.wipes,
        deaths=marks.deaths,
        stops=marks.stops,
        unheard=marks.unheard,
        split=[*marks.split, *two_owners(world.sightings)] if world.witness is None else [],
        closing=marks.closing,
        set_back=marks.set_back,
    )
    found = outcome.findings = check(evidence)
    for what, which in (
        ("lost", found.lost),
        ("still queued", found.waiting),
        ("bounced though it was deliverable", found.false_bounces),
        ("without the second copy that was promised", marks.absent),
    ):
        if which:
            outcome.failures.append(f"{len(which)} {what}: {', '.join(which[:LISTED_MAX])}")


def _measure(world: World, outcome: Outcome, deliveries: Iterable[Delivery]) -> None:
    """Take the times of takeovers, and the availability around each fault."""
    outcome.promotions = len(_promotions(world.sightings))
    queued = {answer.lab_id for answer in world.accepted if queue_id_of(answer.reply)}
    arrivals = sorted(each.at_ms for each in deliveries if each.lab_id in queued)
    replies = sorted(answer.at_ms for answer in world.accepted)
    for done in outcome.marks.done:
        name = str(done.fault.kind)
        seconds = Counter((at - done.at_ms) // 1000 for at in replies)
        outcome.series[name] = [seconds[second] for second in SERIES_SECONDS]
        after = [done.at_ms, *(at for at in replies if at >= done.at_ms)]
        outcome.gap_seconds[name] = max((later - at for at, later in pairwise(after)), default=0) / 1000
        taken = _redelivery_seconds(world, done, arrivals)
        if taken is None:
            continue
        outcome.redelivery_seconds.append(taken)
        if taken > FIRST_REDELIVERY_SECONDS_MAX:
            outcome.failures.append(f"first redelivery {taken:.1f} s after {name}")


def _promotions(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Return when a node was first seen to be active with an epoch that is new."""
    found: list[Sighting] = []
    epoch = max((seen.epoch for seen in sightings[:2]), default=0)
    for seen in sightings:
        if seen.role == "active" and seen.epoch > epoch:
            found.append(seen)
            epoch = seen.epoch
    return found


def _redelivery_seconds(world: World, done: Done, arrivals: Sequence[int]) -> float | None:
    """Return the time from a fault that took the active away to the first delivery by the promoted node.

    None where no such thing happened, or the next hops were in a mood then.
    """
    if not done.was_active or done.fault.kind not in STOPS_DELIVERY:
        return None
    until = done.at_ms + int(done.fault.lasts_seconds * 1000) + 1_000
    promoted = [
        each.at_ms
        for each in _promotions(world.sightings)
        if each.node != done.node and done.at_ms < each.at_ms <= until
    ]
    if not promoted:
        return None
    first = next((at for at in arrivals if at >= promoted[0] - 200), None)
    if first is None or any(begin <= first and done.at_ms <= end for begin, end in world.marks.moods):
        return None
    return (first - done.at_ms) / 1000
