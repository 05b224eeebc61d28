"""Many histories one after the other, what they have seen, and what to type to see a failing one again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from replicator.core.values import Mode
from tests.simulation.clock import Violation
from tests.simulation.script import Plan, Script, Strike, draw
from tests.simulation.shelf import MODEL
from tests.simulation.truth import BY_ORDER
from tests.simulation.world import World

DRIFT = "drift"  # between the model of the store and the store
CALM = Plan(faults_max=0, is_calm=True)
SWITCHOVERS = Plan(faults_max=3, menu=("switchover",), is_calm=True)
LOST_DISKS = Plan(menu=("restore", "wipe", "restore", "kill the owner"), letters=(12, 20), trouble_seconds=5)
SPLITS = Plan(
    menu=("restore", "cut", "switchover", "slow disk"), letters=(12, 20), trouble_seconds=5, log_records_max=(3, 6)
)
DEMOTIONS = Plan(menu=("demote", "demote", "promote", "link reset", "slow link"), trouble_seconds=5)
DEMOTED_AND_KILLED = Plan(menu=("demote", "kill the owner"), faults_max=10, trouble_seconds=15, letters=(1, 2))
ROTTEN = Plan(
    menu=("bit flips", "bit flips", "bit flips", "cut", "slow disk", "kill", "wipe", "switchover"),
    faults_max=8,
    letters=(12, 20),
    log_records_max=(1 << 30, 6),
)
FULL = Plan(menu=("disk full", "disk full", "cut", "kill", "link reset"), letters=(12, 20))
HANDS = Plan(menu=("hold", "hold", "demote", "promote", "switchover", "wall clock", "cut", "kill"), letters=(12, 20))
WIRES = Plan(menu=("flapping link", "swizzle-clog", "cut from the clients", "hold the machine", "cut one way"))
CONTENDED = Plan(
    menu=("switchover", "promote", "lossy link", "slow link", "kill the owner", "kill"),
    faults_max=24,
    trouble_seconds=5,
    letters=(40, 60),
    claim_share=1.0,
)
MANUAL = Plan(authority=Mode.MANUAL)
CRASHES = Plan(menu=("crash at an effect", "crash at an effect", "link reset"), trouble_seconds=4)
TROUBLE = Plan()
WITNESSED = Plan(authority=Mode.WITNESS)
WITNESSED_CALM = replace(CALM, authority=Mode.WITNESS)
WITNESSED_SWITCHOVERS = replace(SWITCHOVERS, authority=Mode.WITNESS)
CALM_ABROAD = replace(CALM, has_site=True)
ABROAD = replace(TROUBLE, has_site=True, log_records_max=(1 << 30, 12, 4))
WITNESSED_ABROAD = replace(WITNESSED, has_site=True)
FOLLOWING = replace(ABROAD, menu=("site away", "site cut off", "feeder cut off from the site", "site wiped", "kill"))
ROTTEN_ABROAD = replace(
    ROTTEN, has_site=True, menu=(*ROTTEN.menu, "site away", "site wiped", "site cut off", "pair lost")
)
LOST_PAIRS = replace(
    ABROAD,
    menu=("pair lost", "pair lost", "site promoted", "site killed", "taken back from the site", "site cut off"),
    trouble_seconds=9,
)

# what a campaign must have seen, or it has gone soft
SOMETIMES = (
    "takeover with pending mail",
    "switchover done",
    "deposed owner steps down",
    "degraded ack",
    "refused: peer",
    "refused: full",
    "abort",
    "log catch-up",
    "log no longer reaches back",
    "snapshot merged",
    "orphan kept",
    "commit failure: failed",
    "commit failure: full",
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
    "clock stopped",
    "held",
    "let go",
    "note replica.damaged",
    "note replica.healed",
    "note replica.lost",
    "abort raced with a takeover",
    "wiped during a partition",
    "equal vectors compared",
    "an operator ends a time without owner",
    "claim honoured after a takeover",
    "claim given back",
    "link of version 1",
    "upgraded",
    "site fed by a passive",
    "site fed by an active",
    "site fed by a snapshot",
    "site spared what was finished within its delay",
    "site promoted with pending mail",
    "site took mail of clients",
    "site taken back home",
    "held back from a site",
    "a promoted site ships what others wrote",
    "a site sends home what others wrote",
    "duplicate: the reply was lost",
    "duplicate: the result was not here yet",
    f"duplicate: {BY_ORDER}",
    "duplicate: the process ended before its result was here",
    "duplicate: the process ended before its result was on a disk",
)


@dataclass(frozen=True)
class Failure:
    """A history in which an invariant did not hold."""

    seed: int
    name: str
    text: str
    strikes: tuple[Strike, ...] = ()


@dataclass
class Campaign:
    """What a number of histories came to."""

    histories: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Campaign) -> None:
        self.histories += other.histories
        self.counts.update(other.counts)
        self.failures.extend(other.failures)

    @property
    def unseen(self) -> list[str]:
        return [name for name in SOMETIMES if not self.counts[name]]


_PLANS = (
    CALM,
    SWITCHOVERS,
    LOST_DISKS,
    CRASHES,
    SPLITS,
    TROUBLE,
    WITNESSED,
    ROTTEN,
    TROUBLE,
    WITNESSED,
    WITNESSED_SWITCHOVERS,
    TROUBLE,
    WITNESSED,
    HANDS,
    TROUBLE,
    WITNESSED,
    FULL,
    TROUBLE,
    WIRES,
    MANUAL,
    ABROAD,
    LOST_PAIRS,
    FOLLOWING,
    WITNESSED_ABROAD,
    ROTTEN_ABROAD,
)


def plan_of(seed: int) -> Plan:
    """Return what may happen in a history: the general menu, or that of a directed campaign, in turn."""
    return _PLANS[seed % len(_PLANS)]


def play(seed: int, plan: Plan | None = None, store: str = MODEL) -> tuple[World, Failure | None]:
    """Play one history that a seed draws. store: the kind of its stores, as in SHELVES."""
    return play_script(draw(seed, plan or plan_of(seed)), store)


def play_script(script: Script, store: str = MODEL) -> tuple[World, Failure | None]:
    """Play one history. An exception of the core is a failure like any other; so is another history on the model."""
    world, failure = _play(script, store)
    if failure is None and store != MODEL:
        model, _ = _play(script, MODEL)
        failure = _drift(script, world, model)
    return world, failure


def _play(script: Script, store: str) -> tuple[World, Failure | None]:
    world, seed = World(script, store), script.seed
    try:
        world.run()
    except Violation as violation:
        return world, Failure(seed, violation.name, str(violation), script.strikes)
    except Exception as error:  # whatever the members raise, the history names it and the campaign goes on
        return world, Failure(seed, "crash", f"{type(error).__name__}: {error}", script.strikes)
    return world, None


def _drift(script: Script, world: World, model: World) -> Failure | None:
    """Return where a history on other stores parts from the same one on the model."""
    for ours, theirs in zip_longest(world.clock.log, model.clock.log):
        if repr(ours) != repr(theirs):
            return Failure(script.seed, DRIFT, f"{DRIFT}: {ours!r}, and on the model {theirs!r}", script.strikes)
    return None


def failure_of(script: Script, store: str = MODEL) -> str:
    """Return which invariant does not hold in a history; "": all hold."""
    _, failure = play_script(script, store)
    return failure.name if failure is not None else ""


def run(seeds: Iterable[int], plan: Plan | None = None, failures_max: int = 1, store: str = MODEL) -> Campaign:
    """Play the histories of these seeds until there are enough failures."""
    return run_scripts((draw(seed, plan or plan_of(seed)) for seed in seeds), failures_max, store)


def run_scripts(scripts: Iterable[Script], failures_max: int = 1, store: str = MODEL) -> Campaign:
    """Play histories until there are enough failures."""
    campaign = Campaign()
    for script in scripts:
        world, failure = play_script(script, store)
        campaign.histories += 1
        campaign.counts.update(world.clock.counts)
        campaign.counts["events"] += len(world.clock.log)
        if failure is not None:
            campaign.failures.append(failure)
            if len(campaign.failures) >= failures_max:
                break
    return campaign


def digest(world: World) -> str:
    """Return a digest of everything that happened, in order."""
    told = hashlib.blake2b(digest_size=16)
    for entry in world.clock.log:
        told.update(repr(entry).encode())
    return told.hexdigest()


def replay_command(failure: Failure, mutant: str = "", store: str = MODEL) -> str:
    """Return what to type to see a failure again, and smaller."""
    words = [f"python -m tests.simulation --seed {failure.seed}"]
    words += [f"--strike {kind}:{node}:{number}" for kind, node, number in failure.strikes]
    words += [f"--mutant {mutant}"] if mutant else []
    words += [f"--store {store}"] if store != MODEL else []
    return " ".join(words)
