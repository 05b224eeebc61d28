"""`mtactl site` against a node on a Unix socket."""

from __future__ import annotations

import json

import pytest

from mtad.pb import admin_pb2 as pb
from tests.fakes.admin_server import FakeAdmin
from tests.unit.mtad.cli.conftest import Mtactl

BEHIND = pb.Far(
    node="far", role="following", state="down", lag_records=12, lag_octets=3_400, lag_seconds=90, problem="no route"
)
LEVEL = pb.Far(node="near", role="following", state="up", is_fed=True)
MEMBER = pb.Far(node="alpha", role="active", state="up")


def test_sites_are_listed_for_people(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status.sites.extend([LEVEL, BEHIND])
    result = mtactl("site", "list")
    assert result.exit_code == 1
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["NODE", "ROLE", "LINK", "SHIPS", "BEHIND", "PROBLEM"],
        ["near", "following", "up", "from", "here", "level"],
        ["far", "following", "down", "-", "12", "records", "(3.4", "kB,", "1.5", "min)", "no", "route"],
    ]


def test_sites_are_listed_for_scripts(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status.sites.extend([LEVEL])
    result = mtactl("site", "list", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "node": "near",
        "role": "following",
        "state": "up",
        "is_fed": True,
        "lag_records": 0,
        "lag_octets": 0,
        "lag_seconds": 0.0,
        "problem": "",
    }


def test_status_names_sites_and_members(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status.sites.extend([LEVEL])
    assert "site      near: following, up, level, shipped to from here\n" in mtactl("status").stdout
    assert json.loads(mtactl("status", "--json").stdout)["sites"][0]["node"] == "near"
    del admin.status.sites[:]
    admin.status.members.extend([MEMBER])
    admin.status.role = "following"
    result = mtactl("status")
    assert "copies    1 before 250: this node follows a pair\nmember    alpha: active, up, level\n" in result.stdout
    assert result.exit_code == 0
    admin.status.members[0].state = "down"
    admin.status.members[0].problem = "no route"
    result = mtactl("status")
    assert result.exit_code == 1
    assert "Not healthy: no member is connected: no route.\n" in result.stdout


def test_a_node_without_sites_says_how_to_have_them(admin: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("site", "list")
    assert (result.exit_code, result.stdout) == (
        0,
        "alpha has no sites: [[replication.sites]] in mtad.toml names them.\n",
    )


@pytest.mark.parametrize("name", [(), ("alpha",)])
def test_a_site_is_promoted(admin: FakeAdmin, mtactl: Mtactl, name: tuple[str, ...]) -> None:
    admin.status.members.extend([MEMBER])
    admin.replica = pb.ReplicaReply(done=True, text="promoting with epoch 8", epoch=8)
    result = mtactl("site", "promote", *name, "--force")
    assert result.exit_code == 0
    assert result.stdout == "Promote done in 0 s, epoch 8 (promoting with epoch 8).\n"
    assert (admin.requests[-1].verb, admin.requests[-1].force) == ("promote", True)


def test_what_may_be_lost_is_said_when_it_is_refused(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status.members.extend([MEMBER])
    admin.replica = pb.ReplicaReply(done=False, text="alpha is active", risk="mail may go out twice")
    result = mtactl("site", "promote")
    assert result.exit_code == 1
    assert result.stdout == "Refused: alpha is active\nWhat --force would risk: mail may go out twice.\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("far", "this is alpha: run it there, or give its --node"),
        ("alpha", "alpha follows nobody: for a node of a pair there is `mtactl replica promote`"),
    ],
)
def test_another_node_is_not_promoted_by_mistake(admin: FakeAdmin, mtactl: Mtactl, name: str, text: str) -> None:
    result = mtactl("site", "promote", name, "--force")
    assert (result.exit_code, result.stdout) == (1, f"Refused: {text}.\n")
    told = json.loads(mtactl("site", "promote", name, "--force", "--json").stdout)
    assert (told["done"], told["text"]) == (False, text)
    assert not any(isinstance(request, pb.ReplicaRequest) for request in admin.requests)
