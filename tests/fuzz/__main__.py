"""`make fuzz`: feed what reads strangers' octets with a million inputs, on all cores; print how many a second.

A fault is made small and written to var/fuzz/TARGET-SEED; `--replay FILE` feeds one target with it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.search import Found, fault_of, search
from tests.fuzz.targets import TARGETS

FAULTS = Path("var/fuzz")
BATCH = 25_000  # inputs of one search: each has a seed of its own


def run(name: str, inputs_count: int, seed: int) -> Found:
    """Search in a process of its own."""
    return search(TARGETS[name], inputs_count, seed)


def batches(inputs_count: int, first_seed: int, only: str = "") -> list[tuple[str, int, int]]:
    """Return the searches: target, inputs, seed; of all targets, or of one."""
    found = []
    for name, target in TARGETS.items():
        share = target.share if not only else float(name == only)
        left, seed = round(inputs_count * share), first_seed
        while left > 0:
            found.append((name, min(BATCH, left), seed))
            left, seed = left - BATCH, seed + 1
    return found


def campaign(inputs_count: int, first_seed: int, processes: int, only: str = "") -> int:
    """Run all searches, print a line for each target; return how many faults there are."""
    begun = time.monotonic()
    planned = batches(inputs_count, first_seed, only)
    with ProcessPoolExecutor(processes) as pool:
        results = list(pool.map(run, *zip(*planned, strict=True)))
    faults = 0
    print(f"{'target':<10}{'inputs':>10}{'kinds':>10}{'inputs/s':>10}{'faults':>8}")
    for name in dict.fromkeys(of for of, _, _ in planned):
        mine = [result for (of, _, _), result in zip(planned, results, strict=True) if of == name]
        inputs, kinds = sum(result.inputs_count for result in mine), sum(result.kinds_count for result in mine)
        found = [result.fault for result in mine if result.fault is not None]
        seconds = sum(result.seconds for result in mine)
        print(f"{name:<10}{inputs:>10}{kinds:>10}{inputs / max(seconds, 0.001):>10.0f}{len(found):>8}")
        faults += len(found)
    for (name, _, seed), result in zip(planned, results, strict=True):
        if result.fault is not None:
            FAULTS.mkdir(parents=True, exist_ok=True)
            path = FAULTS / f"{name}-{seed}"
            path.write_bytes(result.fault)
            print(f"{path}: {result.fault!r}\n{fault_of(TARGETS[name].feed, result.fault)}")
    total = sum(result.inputs_count for result in results)
    seconds = time.monotonic() - begun
    print(f"{total} inputs in {seconds:.0f} s, {total / seconds:.0f} a second, from seed {first_seed}; {faults} faults")
    return faults


def main() -> int:
    """Search, or replay a fault; 1 when there is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first search; the next ones count on")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--target", default="", choices=("", *TARGETS), help="feed this one alone")
    parser.add_argument("--replay", type=Path, help="a file of var/fuzz")
    options = parser.parse_args()
    if options.replay is None:
        return int(campaign(options.inputs, options.seed, options.processes, options.target) > 0)
    target = TARGETS[options.replay.name.partition("-")[0]]
    fault = fault_of(target.feed, options.replay.read_bytes())
    print(fault or "no fault")
    return int(bool(fault))


if __name__ == "__main__":
    sys.exit(main())
