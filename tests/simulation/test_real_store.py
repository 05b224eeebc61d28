"""The same histories on LMDB: event by event what they are on the model of it, and nothing of it is left behind."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation import campaign
from tests.simulation.campaign import LOST_DISKS, ROTTEN
from tests.simulation.shelf import LmdbShelf

SEEDS = range(1, 26)  # each plan once


@pytest.mark.timeout(120)
def test_a_seed_is_the_same_history_on_the_model_and_on_lmdb() -> None:
    for seed in SEEDS:
        on_model, _ = campaign.play(seed)
        on_disk, failure = campaign.play(seed, kind="lmdb")
        assert failure is None
        for model_entry, disk_entry in zip(on_model.clock.log, on_disk.clock.log, strict=False):
            assert repr(disk_entry) == repr(model_entry), f"seed {seed}"
        assert campaign.digest(on_disk) == campaign.digest(on_model), f"seed {seed}"


def test_flipped_bits_on_lmdb_are_found_as_on_the_model() -> None:
    flips = damaged = 0
    for seed in range(1, 16):
        on_model, _ = campaign.play(seed, ROTTEN)
        on_disk, failure = campaign.play(seed, ROTTEN, kind="lmdb")
        assert failure is None
        assert campaign.digest(on_disk) == campaign.digest(on_model), f"seed {seed}"
        flips += sum(count for name, count in on_disk.clock.counts.items() if name.startswith("bit flipped"))
        damaged += on_disk.clock.counts["note replica.damaged"]
    assert flips > 20
    assert damaged > 5


def test_histories_on_lmdb_leave_no_file_open_and_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.simulation.shelf.IN_MEMORY", tmp_path)
    before = sorted(os.listdir("/proc/self/fd"))
    counts: Counter[str] = Counter()
    for seed in range(1, 6):
        world, failure = campaign.play(seed, LOST_DISKS, kind="lmdb")
        assert failure is None
        assert isinstance(world.shelf, LmdbShelf)
        counts.update(world.clock.counts)
    assert counts["old backup restored"] > 0
    assert counts["disk wiped"] > 0
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert list(tmp_path.iterdir()) == []
