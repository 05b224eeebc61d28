"""Rounds one after another, for as long as they should last, in laboratories of their own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from mtad.lab.pair import LaboratoryFault
from tests.chaos.plan import ROUNDS_PER_ERA, Kind, draw, era_of
from tests.chaos.rounds import Outcome, run_round
from tests.chaos.world import World, running_world


@dataclass(frozen=True, slots=True)
class Campaign:
    """What to run: as many rounds of these numbers as begin before the time is up, and one at least."""

    seed: int
    kinds: Collection[Kind]
    numbers: range
    seconds: float


async def run_campaign(campaign: Campaign, say: Callable[[str], None]) -> list[Outcome]:
    """Run the rounds; a laboratory in which one failed is kept on disk, and another is begun. Errors: OSError."""
    outcomes: list[Outcome] = []
    deadline = time.monotonic() + campaign.seconds
    numbers = campaign.numbers
    while numbers and (not outcomes or time.monotonic() < deadline):
        folder = Path(tempfile.mkdtemp(prefix="mtad-chaos-"))
        done = await _run_laboratory(campaign, numbers, deadline, folder, say)
        outcomes += done
        numbers = numbers[len(done) :]
        if done[-1].failures:
            say(f"  logs, queues and what arrived are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return outcomes


async def _run_laboratory(
    campaign: Campaign, numbers: range, deadline: float, folder: Path, say: Callable[[str], None]
) -> list[Outcome]:
    """Run rounds in one laboratory until its era ends, one has failed, or the time is up; one at least."""
    outcomes: list[Outcome] = []
    plan = draw(campaign.seed, numbers[0], campaign.kinds)
    try:
        async with running_world(folder, era_of(numbers[0])) as world:
            for number in numbers:
                is_over = time.monotonic() >= deadline or number // ROUNDS_PER_ERA != numbers[0] // ROUNDS_PER_ERA
                if outcomes and (outcomes[-1].failures or is_over):
                    break
                plan = draw(campaign.seed, number, campaign.kinds)
                say(f"round {number}: {plan}")
                outcomes.append(await run_round(world, plan))
                _tell(outcomes[-1], campaign.kinds, say)
                if outcomes[-1].failures:
                    await asyncio.to_thread(_keep_queues, world)
    except* LaboratoryFault as faults:
        outcomes.append(Outcome(plan, failures=[str(fault) for fault in faults.exceptions]))
        _tell(outcomes[-1], campaign.kinds, say)
    return outcomes


def _tell(outcome: Outcome, kinds: Collection[Kind], say: Callable[[str], None]) -> None:
    """Say what a round showed, and how to repeat one that failed."""
    duplicates = ", ".join(f"{count} {cause}" for cause, count in outcome.findings.duplicates.items())
    say(
        f"  {outcome.accepted_count} accepted, {len(outcome.findings.lost)} lost, duplicates: {duplicates or 'none'}; "
        f"{outcome.promotions} promotions; converged in {outcome.converge_seconds:.1f} s, "
        f"empty after {outcome.drain_seconds:.1f} s"
    )
    for note in outcome.marks.notes:
        say(f"  {note}")
    for failure in outcome.failures:
        say(f"  FAILED: {failure}")
    if outcome.failures:
        only = f" --faults {','.join(kinds)}" if set(kinds) != set(Kind) else ""
        say(f"  to repeat it: python -m tests.chaos --seed {outcome.round.seed} --round {outcome.round.number}{only}")


def _keep_queues(world: World) -> None:
    """Copy the queues off their small disks, which go with the laboratory."""
    for node in world.nodes:
        shutil.copytree(node.files.folder / "queue", node.files.folder / "queue-kept", dirs_exist_ok=True)
