"""Two members and a witness over loopback TLS: who owns when one of the three, or a wire between them, fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from replicator.core.values import Mode
from replicator.node import Node
from replicator.settings import NodeSettings
from replicator.status import WitnessStatus
from replicator.transport.certificates import Credentials
from replicator.witness import State, WitnessServer, WitnessSettings, WitnessStateError
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import until
from tests.integration.bench import NAMES, Bench, settled

LEASE_SECONDS = 2.0  # for which a busy machine may let both members stand still


class Trio(Bench):
    """A pair, and the witness that says who owns."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.report = CollectedReport()  # the witness's
        self.witness: WitnessServer | None = None
        self._witness_port = 0

    async def start_witness(self, name: str = "w.test", members: tuple[str, ...] = NAMES) -> WitnessServer:
        settings = WitnessSettings(
            group="test",
            members=members,
            listen_address=f"127.0.0.1:{self._witness_port}",
            folder=self.folder / "witness",
            credentials=self.authority.issue(name),
            lease_seconds=LEASE_SECONDS,
        )
        self.witness = WitnessServer(settings, self.report)
        await self.witness.start()
        self._witness_port = self.witness.listen_port
        return self.witness

    async def stop_witness(self) -> None:
        if self.witness is not None:
            await self.witness.stop()
            self.witness = None

    def settings(self, number: int, credentials: Credentials | None = None) -> NodeSettings:
        return replace(
            super().settings(number, credentials),
            authority=Mode.WITNESS,
            lease_seconds=LEASE_SECONDS,
            ask_after_seconds=0.3,
            witness_name="w.test",
            witness_address=f"127.0.0.1:{self._witness_port}",
        )

    async def pair(self, **more: Any) -> tuple[Node, Node]:
        """Return the owner and the other."""
        return await settled(*await super().pair(**more))

    async def close(self) -> None:
        await super().close()
        await self.stop_witness()


@pytest_asyncio.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    made = Trio(tmp_path)
    await made.start_witness()
    yield made
    await made.close()


async def owners_until(is_over: Callable[[], bool], *nodes: Node) -> set[int]:
    """Look at who owns, again and again; return how many owners were seen at a time."""
    seen: set[int] = set()

    def is_over_now() -> bool:
        seen.add(sum(node.is_owner for node in nodes))
        return is_over()

    await until(is_over_now)
    return seen


def witness_of(node: Node) -> WitnessStatus:
    witness = node.status().witness
    assert witness is not None
    return witness


async def test_the_other_owns_when_the_owner_is_gone(trio: Trio) -> None:
    owner, other = await trio.pair()
    epoch = owner.status().epoch
    await trio.end(owner)
    await until(lambda: other.is_owner)
    assert other.status().epoch == epoch + 1
    witness = witness_of(other)
    assert (witness.name, witness.state, witness.problem) == ("w.test", "granted", "")
    assert 0 < witness.lease_seconds <= LEASE_SECONDS


async def test_without_the_witness_nothing_changes_and_it_comes_back(trio: Trio) -> None:
    owner, other = await trio.pair()
    await trio.stop_witness()
    assert await owners_until(lambda: witness_of(owner).heard_seconds > 1.2 * LEASE_SECONDS, owner) == {1}
    assert witness_of(owner).state == "silent"
    assert witness_of(owner).problem
    await trio.start_witness()
    assert await owners_until(lambda: witness_of(owner).state == "granted", owner, other) == {1}
    assert owner.status().epoch == 1


async def test_a_promotion_is_done_when_the_node_is_active_and_refused_when_nobody_grants_it(trio: Trio) -> None:
    owner, other = await trio.pair()
    await trio.stop_witness()
    await trio.end(other)
    await until(lambda: owner.status().role == "fenced")
    told = await owner.command("promote")
    assert not told.is_done
    assert told.text.startswith("not active within 4 s: the witness w.test does not answer (")
    await trio.start_witness()
    while not (await owner.command("promote")).is_done:
        assert owner.status().role != "active"
    assert owner.status().role == "active"


async def test_with_neither_witness_nor_peer_the_owner_is_fenced_until_one_is_back(trio: Trio) -> None:
    owner, other = await trio.pair()
    await trio.stop_witness()
    await trio.end(other)
    await until(lambda: owner.status().role == "fenced")
    assert not owner.is_owner
    await trio.start_witness()
    await until(lambda: owner.is_owner)
    assert owner.status().epoch == 1


async def test_a_switchover_asks_the_witness(trio: Trio) -> None:
    owner, other = await trio.pair()
    await until(lambda: owner.status().protection == "protected")
    told = await owner.command("switchover")
    assert told.is_done, told.text
    await until(lambda: other.is_owner)
    assert not owner.is_owner


async def test_a_witness_of_another_name_is_refused_and_both_names_are_told(trio: Trio) -> None:
    await trio.stop_witness()
    await trio.start_witness("stranger.test")
    b, _ = await trio.start(trio.settings(1))
    await until(lambda: "certificate: expected w.test, came stranger.test" in witness_of(b).problem)
    assert not b.is_owner


async def test_a_member_of_another_name_is_refused_and_both_names_are_told(trio: Trio) -> None:
    await trio.stop_witness()
    await trio.start_witness(members=("x.test", "y.test"))
    b, _ = await trio.start(trio.settings(1))
    await until(lambda: witness_of(b).problem == "certificate: expected x.test or y.test, came b.test")
    assert trio.report.named("witness.refused")[0]["came"] == "b.test"


async def test_another_group_is_refused(trio: Trio) -> None:
    b, _ = await trio.start(replace(trio.settings(1), group="other"))
    await until(lambda: witness_of(b).problem == "group: expected 'test', came 'other'")
    assert trio.report.named("witness.refused")[0]["came"] == "other"
    assert not b.is_owner


async def test_a_witness_that_cannot_keep_its_state_answers_no_more(trio: Trio) -> None:
    assert trio.witness is not None
    (trio.folder / "witness" / "grant.new").mkdir()
    b, _ = await trio.start(trio.settings(1))
    await until(trio.witness.failed.is_set)
    await asyncio.sleep(0.5)
    assert not b.is_owner


def test_the_state_is_locked_checked_and_kept(tmp_path: Path) -> None:
    state = State(tmp_path / "w", "group")
    grant = state.open()._replace(epoch=3, node=1, incarnation=7, generation=2, lease=9)
    with pytest.raises(WitnessStateError, match="another witness's"):
        State(tmp_path / "w", "group").open()
    state.keep(grant)
    state.close()
    with pytest.raises(WitnessStateError, match="is of group 'group'"):
        State(tmp_path / "w", "other").open()
    again = State(tmp_path / "w", "group")
    assert again.open() == grant
    again.close()
    (tmp_path / "w" / "grant.json").write_text("{")
    with pytest.raises(WitnessStateError, match="is not a witness's state"):
        State(tmp_path / "w", "group").open()


async def test_a_node_needs_to_know_where_its_witness_is(trio: Trio) -> None:
    with pytest.raises(ValueError, match="witness_address"):
        await Node(replace(trio.settings(1), witness_address=""), trio.report).start()


async def test_a_witness_shows_a_renewed_certificate_without_a_new_start(tmp_path: Path) -> None:
    trio = Trio(tmp_path)
    await trio.start_witness("other.test")
    right = trio.authority.issue("w.test")
    node, _ = await trio.start(trio.settings(1))
    await until(lambda: "other.test" in witness_of(node).problem)
    shown = trio.authority.issue("other.test")
    shown.cert_path.unlink()
    await trio.report.wait_for("witness.credentials")
    shown.key_path.write_bytes(right.key_path.read_bytes())
    shown.cert_path.write_bytes(right.cert_path.read_bytes())
    await until(lambda: node.is_owner)
    await trio.close()
