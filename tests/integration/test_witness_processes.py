"""Real processes: two nodes and a witness. One of the three dies, or the link is cut, and exactly one node delivers."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mtad.lab.child import Child
from mtad.lab.layout import HOST, NodeShape
from mtad.lab.load import LoadPlan, run_load
from mtad.lab.pair import Laboratory, RunningNode, running_laboratory
from mtad.lab.ports import free_port
from mtad.startup.provision import Ca, make_member_certificate
from tests.integration.test_kill_active import POLICY
from tests.peers.process import open_folder

LEASE_SECONDS = 4.0  # for which a busy machine may let a node stand still
OVER_SECONDS = LEASE_SECONDS + 1.0  # by then a lease that was not renewed is over
SETTLE_SECONDS_MAX = 40.0
SETTINGS = """\
authority = "witness"
witness = {{ name = "w", address = "{host}:{port}", ask_after_seconds = 0.6 }}
lease_seconds = {lease}
"""

pytestmark = pytest.mark.timeout(240)


async def start_witness(folder: Path, port: int) -> Child:
    made = folder / "witness"
    if not made.exists():
        keys = folder / "keys"
        make_member_certificate(Ca(keys / "ca.pem", keys / "ca.key"), "w", made)
        (made / "ca.pem").write_bytes((keys / "ca.pem").read_bytes())
    where = ("--dir", str(made), "--name", "w", "--listen", f"{HOST}:{port}", "--group", "laboratory")
    whom = ("--member", "mx1", "--member", "mx2", "--lease-seconds", str(LEASE_SECONDS))
    return await Child.start(
        "witness", (sys.executable, "-m", "mtad.main", "witness", *where, *whom), folder / "witness.log"
    )


async def roles(laboratory: Laboratory) -> list[str]:
    views = [await node.view() for node in laboratory.nodes]
    return [view.role for view in views if view is not None]


async def roles_seen(laboratory: Laboratory, seconds: float) -> Counter[tuple[str, ...]]:
    """Look at the roles again and again."""
    seen: Counter[tuple[str, ...]] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = await roles(laboratory)
        if len(found) == len(laboratory.nodes):  # who does not answer may be waiting for its turn
            seen[tuple(sorted(found))] += 1
        await asyncio.sleep(0.1)
    return seen


async def seconds_until_active(node: RunningNode) -> float:
    began = time.monotonic()
    while (view := await node.view()) is None or view.role != "active":
        assert time.monotonic() - began < SETTLE_SECONDS_MAX, view
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def all_arrived(laboratory: Laboratory, wanted: set[str]) -> Counter[tuple[str, str]]:
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while not wanted <= {each.lab_id for each in laboratory.delivered()}:
        assert time.monotonic() < deadline, "not all has arrived"
        await asyncio.sleep(0.2)
    return Counter((each.lab_id, each.recipient) for each in laboratory.delivered())


async def test_one_node_delivers_whatever_one_fault_there_is() -> None:
    port = free_port()
    shape = NodeShape(settings=SETTINGS.format(host=HOST, port=port, lease=LEASE_SECONDS))
    with open_folder("witness") as folder:
        async with running_laboratory(folder, policy=POLICY, shape=shape, is_wired=True) as laboratory:
            witness = await start_witness(folder, port)
            try:
                await laboratory.wait_protected()
                witness.kill()
                await witness.ended()
                assert set(await roles_seen(laboratory, OVER_SECONDS)) == {("active", "passive")}
                witness = await start_witness(folder, port)
                await asyncio.sleep(OVER_SECONDS)  # it is asked again, and waits for no lease any more

                for wire in laboratory.wires:
                    wire.pull()
                targets = tuple((HOST, node.files.smtp_port) for node in laboratory.nodes)
                plan = LoadPlan(targets, "cut", 60, 4, ("friend@example.test",), "you@lab.test")
                load = asyncio.create_task(run_load(plan))
                assert set(await roles_seen(laboratory, OVER_SECONDS)) == {("active", "passive")}
                for wire in laboratory.wires:
                    wire.plug()
                result = await load
                assert result.accepted
                active, passive = await laboratory.wait_protected()
                copies = await all_arrived(laboratory, {answer.lab_id for answer in result.accepted})
                if not result.lost_replies_count:
                    assert max(copies.values()) == 1

                active.child.kill()
                seconds = await seconds_until_active(passive)
                print(f"the other owns {seconds:.2f} s after the kill, with a lease of {LEASE_SECONDS:g} s")
            finally:
                await witness.stop()
