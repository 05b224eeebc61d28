"""Many histories one after the other, what they have seen, and what to type to see a failing one again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import get_args

from replicator.core.events import Effect
from replicator.core.values import Mode
from tests.simulation.clock import Violation
from tests.simulation.script import Plan, Script, draw
from tests.simulation.world import World

CALM = Plan(faults_max=0, is_calm=True)
SWITCHOVERS = Plan(faults_max=3, menu=("switchover",), is_calm=True)
LOST_DISKS = Plan(menu=("restore", "wipe", "restore", "kill the owner"), letters=(12, 20), trouble_seconds=5)
SPLITS = Plan(
    menu=("restore", "cut", "switchover", "slow disk"), letters=(12, 20), trouble_seconds=5, log_records_max=(3, 6)
)
DEMOTIONS = Plan(menu=("demote", "demote", "promote", "link reset", "slow link"), trouble_seconds=5)
CRASHES = Plan(menu=("crash at an effect", "crash at an effect", "link reset"), trouble_seconds=4)
TROUBLE = Plan()
WITNESSED = Plan(authority=Mode.WITNESS)
WITNESSED_CALM = replace(CALM, authority=Mode.WITNESS)
WITNESSED_SWITCHOVERS = replace(SWITCHOVERS, authority=Mode.WITNESS)
SWEPT = Plan(faults_max=0, letters=(4, 5), trouble_seconds=3)

EFFECTS = get_args(Effect)

# what a campaign must have seen, or it has gone soft
SOMETIMES = (
    "takeover with pending mail",
    "switchover done",
    "deposed owner steps down",
    "degraded ack",
    "refused",
    "abort",
    "log catch-up",
    "log no longer reaches back",
    "snapshot merged",
    "orphan kept",
    "commit failure",
    "disk wiped",
    "old backup restored",
    "crash between effects",
    "crash with the commit durable",
    "crash with the commit lost",
    "message of an old session",
    "bounce",
    "reply of the next hop lost",
    "250 lost on its way",
    "duplicate",
    "owner fenced",
    "owner unfenced",
    "witness ended",
    "witness denied",
    "note replica.witness_stale",
    "suspended",
)


@dataclass(frozen=True)
class Failure:
    """A history in which an invariant did not hold."""

    seed: int
    name: str
    text: str


@dataclass
class Campaign:
    """What a number of histories came to."""

    histories: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    @property
    def unseen(self) -> list[str]:
        return [name for name in SOMETIMES if not self.counts[name]]


_PLANS = {
    0: CALM,
    1: SWITCHOVERS,
    2: LOST_DISKS,
    3: CRASHES,
    4: SPLITS,
    6: WITNESSED,
    9: WITNESSED,
    10: WITNESSED_SWITCHOVERS,
    12: WITNESSED,
    15: WITNESSED,
}


def plan_of(seed: int) -> Plan:
    """Return what may happen in a history: of sixteen, five have a witness, and six a menu of their own."""
    return _PLANS.get(seed % 16, TROUBLE)


def play(seed: int, plan: Plan | None = None) -> tuple[World, Failure | None]:
    """Play one history that a seed draws."""
    return play_script(draw(seed, plan or plan_of(seed)))


def play_script(script: Script) -> tuple[World, Failure | None]:
    """Play one history. An exception of the core is a failure like any other."""
    world, seed = World(script), script.seed
    try:
        world.run()
    except Violation as violation:
        return world, Failure(seed, violation.name, str(violation))
    except Exception as error:  # whatever the members raise, the history names it and the campaign goes on
        return world, Failure(seed, "crash", f"{type(error).__name__}: {error}")
    return world, None


def failure_of(script: Script) -> str:
    """Return which invariant does not hold in a history; "": all hold."""
    _, failure = play_script(script)
    return failure.name if failure is not None else ""


def run(seeds: Iterator[int] | range, plan: Plan | None = None, failures_max: int = 1) -> Campaign:
    """Play histories until there are enough failures."""
    campaign = Campaign()
    for seed in seeds:
        world, failure = play(seed, plan)
        campaign.histories += 1
        campaign.counts.update(world.clock.counts)
        campaign.counts["events"] += len(world.clock.log)
        if failure is not None:
            campaign.failures.append(failure)
            if len(campaign.failures) >= failures_max:
                break
    return campaign


def sweep(seed: int, plan: Plan = SWEPT) -> Campaign:
    """Play a history without faults, and then again with each node dying before each of its effects in turn."""
    base, failure = play(seed, plan)
    campaign = Campaign(1, Counter(base.clock.counts), [failure] if failure else [])
    for machine in base.machines:
        effects = sum(1 for entry in base.clock.log if entry[1] == machine.node and type(entry[2]) in EFFECTS)
        for number in range(effects):
            world, failure = play(seed, replace(plan, strikes=(("crash", machine.node, number),)))
            campaign.histories += 1
            campaign.counts.update(world.clock.counts)
            if failure is not None:
                text = f"node {machine.node} dies before its effect {number}: {failure.text}"
                campaign.failures.append(Failure(seed, failure.name, text))
    return campaign


def digest(world: World) -> str:
    """Return a digest of everything that happened, in order."""
    told = hashlib.blake2b(digest_size=16)
    for entry in world.clock.log:
        told.update(repr(entry).encode())
    return told.hexdigest()


def replay_command(seed: int, mutant: str = "") -> str:
    return f"python -m tests.simulation --seed {seed}" + (f" --mutant {mutant}" if mutant else "")
