"""What users are told of a node."""

from __future__ import annotations

import pytest

from replicator.core.values import Role
from replicator.view import role_name


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
