"""Play random scripts in both engines; say where they differ, the smallest script first, and exit 1 when they do."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.differential.compare import Case, smaller
from tests.differential.compare import compare as compare_one
from tests.differential.pigeonhole import Pigeonhole
from tests.peers.process import open_folder

SHOWN_MAX = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    asked = parser.parse_args()
    begun, kinds, differing = time.monotonic(), Counter[str](), 0
    with open_folder("sieve") as folder:
        pigeonhole = Pigeonhole(folder)
        for seed in range(asked.first, asked.first + asked.cases):
            case = Case.draw(seed)
            kinds.update(case.kinds)
            difference = compare_one(case, pigeonhole)
            if difference is None:
                continue
            differing += 1
            if differing <= SHOWN_MAX:
                print(f"seed {seed}\n{smaller(case, pigeonhole)}\n", flush=True)
    seconds = time.monotonic() - begun
    print(f"{asked.cases} scripts and messages in {seconds:.0f} s: {differing} differ.")
    print(", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
