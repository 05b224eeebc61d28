"""Break a running pair in every way, and count what became of the mail: `python -m tests.chaos --minutes 10 --seed 1`.

Exit code 1 when anything was lost, or a bound was missed; also when a whole campaign had too few failovers to tell.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.campaign import Campaign, run_campaign
from tests.chaos.plan import Kind
from tests.chaos.report import Bound, bounds, document, lines
from tests.chaos.world import IS_ROOT

ROUNDS_MAX = 10_000
RESULT = Path("var/chaos.json")
WHOLE_MINUTES = 15.0  # so long takes a campaign that has enough failovers in both modes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and report it."""
    asked = _parser().parse_args(arguments)
    kinds = [Kind(name) for name in asked.faults.split(",")] if asked.faults else list(Kind)
    notes = []
    if not IS_ROOT:
        notes.append("not root: no small disks, so disk-full is not done and read-only only kills")
        notes.append("not root: no network namespaces, so all is on loopback, with a forwarder for a cable")
    for note in notes:
        print(note, flush=True)
    numbers = range(asked.first, ROUNDS_MAX) if asked.round is None else range(asked.round, asked.round + 1)
    campaign = Campaign(asked.seed, kinds, numbers, asked.minutes * 60)
    outcomes = asyncio.run(run_campaign(campaign, lambda text: print(text, flush=True)))
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(document(outcomes, notes), indent=1) + "\n")
    print("\n" + "\n".join(lines(outcomes)))
    judged = set(bounds(outcomes).values())
    is_whole = not asked.faults and asked.round is None and asked.minutes >= WHOLE_MINUTES
    is_bad = Bound.MISSED in judged or (is_whole and Bound.UNTOLD in judged)
    return 1 if is_bad or any(outcome.failures for outcome in outcomes) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="ROUND", help="begin with this round")
    parser.add_argument("--round", type=int, help="this one alone")
    parser.add_argument("--faults", default="", metavar="A,B", help=f"only these of: {', '.join(Kind)}")
    parser.add_argument("--output", type=Path, default=RESULT)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
