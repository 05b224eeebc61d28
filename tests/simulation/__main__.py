"""`python -m tests.simulation`: play histories, or one again with its trace."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

from tests.simulation import campaign, mutants, sweep, trace
from tests.simulation.minimise import minimise
from tests.simulation.script import Strike, draw, show
from tests.simulation.shelf import MODEL, SHELVES

CHUNK = 100
PAIR_SHARES = 50
HISTORIES_TO_SEE_ALL = 500

Share = tuple[str, int, int]
"""What is done, the first seed, and how many; or, of pairs, which share."""


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many histories")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--mutant", default="", choices=["", *mutants.BY_NAME], help="with this bug planted")
    parser.add_argument("--trace", action="store_true", help="print what happened, also when nothing fails")
    parser.add_argument("--whole", action="store_true", help="do not look for a smaller history that fails")
    parser.add_argument("--strike", action="append", type=_strike, default=[], help="one fault of a sweep, as printed")
    parser.add_argument("--sweep", action="store_true", help="of each seed, each single fault: crashes, messages")
    parser.add_argument("--pairs", action="store_true", help="of each seed, each crash with each lost message")
    parser.add_argument("--store", default=MODEL, choices=list(SHELVES), help="what the nodes' disks hold")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--failures", type=int, default=1, help="go on until there are so many, in each process")
    asked = parser.parse_args()
    if asked.store != MODEL and (asked.sweep or asked.pairs):
        parser.error("a sweep is played on the model")
    if asked.seed is not None:
        return _one(asked)
    return _many(asked)


def _one(asked: argparse.Namespace) -> int:
    """Play one history; one that fails is made as small as it can be before it is told."""
    with mutants.planted(asked.mutant):
        plan = mutants.plan_of(asked.mutant) or campaign.plan_of(asked.seed)
        script = draw(asked.seed, replace(sweep.SWEPT, strikes=tuple(asked.strike)) if asked.strike else plan)
        world, failure = campaign.play_script(script, asked.store)
        if failure is not None and not asked.whole:
            print(f"seed {asked.seed}: {failure.text}\nlooking for less that breaks {failure.name} too...")
            smallest = minimise(script, partial(campaign.failure_of, store=asked.store))
            world, failure = campaign.play_script(smallest.script, asked.store)
            print(f"{script.size} acts came down to {smallest.script.size}, in {smallest.plays} histories")
    if asked.trace or failure is not None:
        print(trace.show(world.clock.log))
    print(show(world.script))
    print(f"seed {asked.seed}: {failure.text if failure else 'nothing found'}   digest {campaign.digest(world)}")
    return int(failure is not None)


def _strike(text: str) -> Strike:
    """Read a strike as a sweep prints it. Errors: ValueError."""
    kind, node, number = text.split(":")
    return kind, int(node), int(number)


def _job(mutant: str, store: str, share: Share, failures_max: int) -> campaign.Campaign:
    """Do one share of the work, in a process of its own."""
    kind, first, count = share
    with mutants.planted(mutant):
        if kind == "sweep":
            return sweep.sweep(first)
        if kind == "pairs":
            return sweep.pairs(first, count, PAIR_SHARES)
        return campaign.run(range(first, first + count), mutants.plan_of(mutant), failures_max, store)


def _jobs(asked: argparse.Namespace) -> list[Share]:
    """Cut the work into shares."""
    end = asked.first + asked.seeds
    if asked.sweep:
        return [("sweep", seed, 0) for seed in range(asked.first, end)]
    if asked.pairs:
        return [("pairs", seed, share) for seed in range(asked.first, end) for share in range(PAIR_SHARES)]
    return [("campaign", first, min(CHUNK, end - first)) for first in range(asked.first, end, CHUNK)]


def _many(asked: argparse.Namespace) -> int:
    started = time.monotonic()
    total = campaign.Campaign()
    with ProcessPoolExecutor(asked.processes) as pool:
        shares = [pool.submit(_job, asked.mutant, asked.store, share, asked.failures) for share in _jobs(asked)]
        for share in shares:
            total.add(share.result())
            if len(total.failures) >= asked.failures:
                for other in shares:
                    other.cancel()
                break
    is_general = not (asked.sweep or asked.pairs or asked.mutant)
    must_have_seen = is_general and total.histories >= HISTORIES_TO_SEE_ALL
    code = _report(total, time.monotonic() - started, must_have_seen=must_have_seen)
    for failure in total.failures:
        print(f"seed {failure.seed}: {failure.text}\n    {campaign.replay_command(failure, asked.mutant, asked.store)}")
    return code


def _report(total: campaign.Campaign, seconds: float, *, must_have_seen: bool) -> int:
    for name, count in sorted(total.counts.items()):
        print(f"{count:10}  {name}")
    print(f"{total.histories} histories in {seconds:.1f} s, {60 * total.histories / seconds:.0f} a minute")
    unseen = total.unseen if must_have_seen else []
    if unseen:
        print("never seen, so the campaign has gone soft:", ", ".join(unseen))
    return int(bool(total.failures or unseen))


if __name__ == "__main__":
    sys.exit(main())
