"""Every single fault, one by one: a calm history again and again, each time with one exact thing going wrong.

A random search finds a crash between two given effects by luck. A sweep tries each of them, and each message lost,
doubled or late; pairs of them find what needs a lost message and then a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from replicator.core.events import Effect, Send
from tests.simulation import campaign
from tests.simulation.campaign import Campaign
from tests.simulation.script import Plan, Script, Strike, draw

SWEPT = Plan(faults_max=0, letters=(4, 5), trouble_seconds=3)
CRASHES = ("crash", "wipe")
LOSSES = ("drop", "duplicate", "delay")

_EFFECTS = get_args(Effect)


def strikes(script: Script, kinds: tuple[str, ...] = CRASHES + LOSSES) -> Iterator[Strike]:
    """Play a history without faults; give each fault of these kinds that could befall it before it is healed."""
    world, _ = campaign.play_script(script)
    troubled = [entry for entry in world.clock.log if entry[0] < script.trouble]
    for machine in world.machines:
        effects = sum(1 for entry in troubled if entry[1] == machine.node and type(entry[2]) in _EFFECTS)
        for kind in (kind for kind in kinds if kind in CRASHES):
            yield from ((kind, machine.node, number) for number in range(effects))
    messages = sum(1 for entry in troubled if type(entry[2]) is Send)
    for kind in (kind for kind in kinds if kind in LOSSES):
        yield from ((kind, -1, number) for number in range(messages))


def sweep(seed: int, kinds: tuple[str, ...] = CRASHES + LOSSES, plan: Plan = SWEPT) -> Campaign:
    """Play a history with each single fault of these kinds."""
    base = draw(seed, plan)
    return campaign.run_scripts(replace(base, strikes=(strike,)) for strike in strikes(base, kinds))


def pairs(seed: int, share: int, shares: int, plan: Plan = SWEPT) -> Campaign:
    """Play a share of all histories in which one node dies at one effect, and one message is lost."""
    base = draw(seed, plan)
    crashes = list(strikes(base, ("crash",)))[share::shares]
    losses = list(strikes(base, ("drop",)))
    return campaign.run_scripts(replace(base, strikes=(crash, loss)) for crash in crashes for loss in losses)
