"""Refusals of one client are held back longer and longer, and forgotten after a while."""

from __future__ import annotations

import pytest

from mtad.server import failed_attempts
from mtad.server.failed_attempts import FORGET_SECONDS, FailedAttempts


def test_each_takes_longer() -> None:
    failures = FailedAttempts()
    assert [failures.add("192.0.2.1", 1.0) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert failures.add("192.0.2.2", 1.0) == 1.0
    assert [failures.add("192.0.2.1", 1.0) for _ in range(2000)][-1] == 8.0


def test_is_forgotten() -> None:
    failures = FailedAttempts()
    failures.add("192.0.2.1", 1.0)
    assert failures.add("192.0.2.1", FORGET_SECONDS) == 2.0
    assert failures.add("192.0.2.1", 2 * FORGET_SECONDS) == 1.0


def test_an_ipv6_client_has_a_network() -> None:
    failures = FailedAttempts()
    failures.add("2001:db8::1", 1.0)
    assert failures.add("2001:db8::2:1", 1.0) == 2.0
    assert failures.add("2001:db8:0:1::1", 1.0) == 1.0


def test_remembers_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_attempts, "NETWORKS_MAX", 2)
    failures = FailedAttempts()
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        failures.add(address, 1.0)
    assert len(failures) == 2
    assert failures.add("192.0.2.1", 1.0) == 4.0
    assert failures.add("192.0.2.2", 1.0) == 1.0
