"""What users are told of a node."""

from __future__ import annotations

import pytest

from replicator.core.values import Role
from replicator.status import WitnessStatus
from replicator.view import grants_nothing, role_name


@pytest.mark.parametrize(
    ("role", "in_a_pair", "at_a_site"),
    [
        (Role.PASSIVE, "passive", "following"),
        (Role.REJOINING, "rejoining", "following"),
        (Role.ACTIVE, "active", "active"),
        (Role.PROMOTING, "promoting", "promoting"),
    ],
)
def test_a_site_that_stands_by_follows(role: Role, in_a_pair: str, at_a_site: str) -> None:
    assert role_name(role, is_site=False) == in_a_pair
    assert role_name(role, is_site=True) == at_a_site


@pytest.mark.parametrize(
    ("state", "problem", "why"),
    [
        ("silent", "refused", "the witness w does not answer (refused)"),
        ("silent", "", "the witness w does not answer"),
        ("denied", "", "the witness w grants it nothing while another's lease runs"),
    ],
)
def test_why_a_witness_lets_nobody_own(state: str, problem: str, why: str) -> None:
    assert grants_nothing(WitnessStatus("w", state, -1.0, 0.0, problem)) == why
