"""A node dies with results that its peer has not heard: who takes over leaves those alone until the node has told.

MTAD_CLAIM_SECONDS   another T_claim; 0 shows what arrives twice without claims
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter

import pytest

from mtad.lab.layout import HOST, NodeShape
from mtad.lab.load import LoadPlan, run_load
from mtad.lab.pair import Laboratory, RunningNode, running_laboratory
from tests.fakes.waiting import WAIT_SECONDS
from tests.integration.test_kill_active import POLICY
from tests.peers.process import open_folder

CLAIM_SECONDS = float(os.environ.get("MTAD_CLAIM_SECONDS", "60"))
REPLY_DELAY_SECONDS = 0.2  # of the next hop, after it has taken a message
CUT_SECONDS = 0.6  # between the cable and the node: long enough for every reply that is awaited
FREE_SECONDS_MAX = 50.0  # silence of 3 s, and what a busy machine takes; less than T_claim

pytestmark = pytest.mark.timeout(150)


async def test_what_a_dead_node_has_delivered_is_not_repeated_when_it_comes_back_and_tells() -> None:
    with open_folder("claims") as folder:
        shape = NodeShape(claim_seconds=CLAIM_SECONDS)
        async with running_laboratory(folder, policy=POLICY, shape=shape, is_wired=True) as laboratory:
            active, survivor = await laboratory.wait_protected()
            await laboratory.tell_sinks(f"delay {REPLY_DELAY_SECONDS}")
            load = asyncio.create_task(run_load(plan(survivor)))
            await asyncio.sleep(1.5)
            for wire in laboratory.wires:
                wire.pull()
            before = Counter(each.lab_id for each in laboratory.delivered())
            await asyncio.sleep(CUT_SECONDS)
            active.child.kill()
            for wire in laboratory.wires:
                wire.plug()
            after = Counter(each.lab_id for each in laboratory.delivered())
            killed = time.monotonic()
            await until_active(survivor)
            await laboratory.tell_sinks("delay 0")
            seconds = await until_more(laboratory, after.total()) - killed
            await active.restart()
            result = await load
            copies = await settled(laboratory, {each.lab_id for each in result.accepted})
        twice = sum(count - 1 for count in copies.values())
        print(f"{before.total()} before the cut, {after.total()} before the kill; {copies.total()} deliveries in all")
        print(f"{twice} of them again, T_claim {CLAIM_SECONDS:g} s; first redelivery after {seconds:.2f} s")
        assert seconds < FREE_SECONDS_MAX, "what was not being delivered waits for nobody"
        assert twice == result.lost_replies_count == 0


def plan(node: RunningNode) -> LoadPlan:
    """Mail enters by the passive node, so that no client is cut off by the kill."""
    return LoadPlan(
        targets=((HOST, node.files.smtp_port),),
        run="claims",
        messages_count=400,
        sessions_count=10,
        recipients=("friend@example.test",),
        reverse_path="you@lab.test",
        rate_max=200.0,
    )


async def until_active(node: RunningNode) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while (view := await node.view()) is None or view.role != "active":
            await asyncio.sleep(0.02)


async def until_more(laboratory: Laboratory, count: int) -> float:
    async with asyncio.timeout(WAIT_SECONDS):
        while sum(1 for _ in laboratory.delivered()) <= count:
            await asyncio.sleep(0.02)
    return time.monotonic()


async def settled(laboratory: Laboratory, wanted: set[str]) -> Counter[str]:
    """Wait until everything has arrived and both queues are empty; return how often each has."""
    await laboratory.wait_protected()
    async with asyncio.timeout(WAIT_SECONDS):
        while not wanted <= {each.lab_id for each in laboratory.delivered()}:
            await asyncio.sleep(0.1)
        for node in laboratory.nodes:
            while (view := await node.view()) is None or view.queue_messages:
                await asyncio.sleep(0.1)
    return Counter(each.lab_id for each in laboratory.delivered())
