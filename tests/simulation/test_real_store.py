"""The same histories on LMDB: event by event what they are on the model of it, and nothing of it is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replicator.core.values import Away
from tests.fakes.model_store import ModelTables
from tests.simulation import campaign
from tests.simulation.campaign import DRIFT, LOST_DISKS, ROTTEN
from tests.simulation.shelf import LmdbShelf

SEEDS = range(1, 51)  # each plan twice


@pytest.mark.timeout(120)
def test_a_seed_is_the_same_history_on_lmdb_and_on_the_model() -> None:
    total = campaign.run(SEEDS, store="lmdb")
    assert total.failures == []
    assert total.counts["acknowledged"] > 100


def test_flipped_bits_are_found_on_lmdb_as_on_the_model() -> None:
    total = campaign.run(range(1, 16), ROTTEN, store="lmdb")
    assert total.failures == []
    assert all(total.counts[f"bit flipped: {table}"] > 5 for table in ("item", "blob", "log"))
    assert total.counts["note replica.damaged"] > 5


def test_a_model_that_answers_otherwise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells the dot of an item that no disk could read."""

    def move_away(self: ModelTables, key: bytes) -> None:
        item, table = self.held[key], self.rotten[key]
        self.delete_item(item)
        self.keep_away(Away(key, item.put, table))

    monkeypatch.setattr(ModelTables, "move_away", move_away)
    found = campaign.run(range(1, 31), ROTTEN, store="lmdb").failures
    assert [failure.name for failure in found] == [DRIFT]
    assert campaign.replay_command(found[0], store="lmdb").endswith(" --store lmdb")


def test_histories_on_lmdb_leave_no_file_open_and_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.simulation.shelf.IN_MEMORY", tmp_path)
    before = sorted(os.listdir("/proc/self/fd"))
    total = campaign.run(range(1, 6), LOST_DISKS, store="lmdb")
    assert total.failures == []
    assert total.counts["old backup restored"] > 0
    assert total.counts["disk wiped"] > 0
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_simulation_left_is_removed_and_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.simulation.shelf.IN_MEMORY", tmp_path)
    running = LmdbShelf()
    (mine,) = tmp_path.iterdir()
    for name in ("simulated-killed", "simulated-young", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").touch()
    for old in (mine, tmp_path / "simulated-killed", tmp_path / "others"):
        os.utime(old, (0, 0))
    LmdbShelf().close()
    assert sorted(tmp_path.iterdir()) == sorted([mine, tmp_path / "simulated-young", tmp_path / "others"])
    running.close()
