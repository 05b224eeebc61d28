"""`python -m tests.simulation`: play histories, or one again with its trace."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from tests.simulation import campaign, mutants, trace
from tests.simulation.minimise import minimise
from tests.simulation.script import Strike, draw, show

CHUNK = 100
HISTORIES_TO_SEE_ALL = 500


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
    parser.add_argument("--sweep", action="store_true", help="a crash before each effect of each of the seeds")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--failures", type=int, default=1, help="go on until there are so many, in each process")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _one(asked)
    return _many(asked)


def _one(asked: argparse.Namespace) -> int:
    """Play one history; one that fails is made as small as it can be before it is told."""
    with mutants.planted(asked.mutant):
        script = draw(asked.seed, mutants.plan_of(asked.mutant) or campaign.plan_of(asked.seed))
        script = replace(script, strikes=tuple(asked.strike))
        world, failure = campaign.play_script(script)
        if failure is not None and not asked.whole:
            print(f"seed {asked.seed}: {failure.text}\nlooking for less that breaks {failure.name} too...")
            smallest = minimise(script, campaign.failure_of)
            world, failure = campaign.play_script(smallest.script)
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


def _chunk(mutant: str, first: int, count: int, failures_max: int) -> campaign.Campaign:
    with mutants.planted(mutant):
        if not count:
            return campaign.sweep(first)
        return campaign.run(range(first, first + count), mutants.plan_of(mutant), failures_max)


def _many(asked: argparse.Namespace) -> int:
    started = time.monotonic()
    total = campaign.Campaign()
    ranges = (
        [(seed, 0) for seed in range(asked.first, asked.first + asked.seeds)]
        if asked.sweep
        else [
            (first, min(CHUNK, asked.first + asked.seeds - first))
            for first in range(asked.first, asked.first + asked.seeds, CHUNK)
        ]
    )
    with ProcessPoolExecutor(asked.processes) as pool:
        jobs = [pool.submit(_chunk, asked.mutant, first, count, asked.failures) for first, count in ranges]
        for job in jobs:
            part = job.result()
            total.histories += part.histories
            total.counts.update(part.counts)
            total.failures.extend(part.failures)
            if len(total.failures) >= asked.failures:
                for other in jobs:
                    other.cancel()
                break
    must_have_seen = not asked.sweep and not asked.mutant and total.histories >= HISTORIES_TO_SEE_ALL
    return _report(total, time.monotonic() - started, asked.mutant, must_have_seen=must_have_seen)


def _report(total: campaign.Campaign, seconds: float, mutant: str, *, must_have_seen: bool) -> int:
    for name, count in sorted(total.counts.items()):
        print(f"{count:10}  {name}")
    print(f"{total.histories} histories in {seconds:.1f} s, {60 * total.histories / seconds:.0f} a minute")
    for failure in total.failures:
        print(f"seed {failure.seed}: {failure.text}\n    {campaign.replay_command(failure.seed, mutant)}")
    unseen = total.unseen if must_have_seen else []
    if unseen:
        print("never seen, so the campaign has gone soft:", ", ".join(unseen))
    return int(bool(total.failures or unseen))


if __name__ == "__main__":
    sys.exit(main())
