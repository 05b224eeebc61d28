"""mtactl against a node on a Unix socket: what is asked, what is written, and the exit codes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtad.cli.mtactl import app
from mtad.config.read import read
from mtad.config.settings import Settings
from mtad.main.version import VERSION
from mtad.pb import admin_pb2 as pb
from tests.fakes.admin_server import FakeAdmin, serving
from tests.unit.mtad.cli.conftest import Mtactl
from tests.unit.mtad.config.test_read import MINIMAL, PAIR

PAIRED = pb.StatusReply(
    node="alpha",
    role="active",
    epoch=3,
    position=42,
    peer=pb.Peer(node="beta", role="passive", state="protected", position=42, durability="remote-durable"),
    queue=pb.Queue(messages=2, recipients=3, octets=4200, oldest_seconds=300),
    sessions=7,
    version="0.1.0",
    uptime_seconds=7200,
    delivered_through=99,
)


BROKEN = pb.Policy(
    loaded=1.5, errors=[pb.PolicyError(file="p.sieve", line=3, column=4, text="unknown command dance")] * 2
)


def changed(**peer: object) -> pb.StatusReply:
    status = pb.StatusReply()
    status.CopyFrom(PAIRED)
    status.peer.MergeFrom(pb.Peer(**peer))
    return status


def test_status_as_json_has_every_promised_member(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status = PAIRED
    result = mtactl("status", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    promised = "node role epoch position peer witness sites bucket lease_seconds queue sessions version"
    assert set(found) >= set(promised.split())
    assert set(found["peer"]) >= {"state", "position", "lag_records", "lag_octets", "lag_seconds", "durability"}
    assert found["queue"] == {"messages": 2, "recipients": 3, "octets": 4200, "oldest_seconds": 300}
    assert (found["node"], found["role"], found["epoch"], found["position"]) == ("alpha", "active", 3, 42)
    assert (found["witness"], found["sites"], found["problems"]) == (None, [], [])


def test_status_of_a_node_alone_has_no_peer(admin: FakeAdmin, mtactl: Mtactl) -> None:
    assert json.loads(mtactl("status", "--json").stdout)["peer"] is None
    assert "1: this node has no peer" in mtactl("status").stdout


def test_status_says_what_clients_brought_again(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status = pb.StatusReply(retries_answered=3)
    assert "retries   3 answered from memory, 0 in doubt\n" in mtactl("status").stdout
    admin.status = pb.StatusReply(retries_in_doubt=2)
    assert "retries   0 answered from memory, 2 in doubt\n" in mtactl("status").stdout
    found = json.loads(mtactl("status", "--json").stdout)
    assert (found["retries_answered"], found["retries_in_doubt"]) == (0, 2)


def test_status_for_people(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status = changed(lag_records=5, lag_octets=1500, lag_seconds=0.25)
    result = mtactl("status")
    assert result.stdout == (
        "node      alpha, mtad 0.1.0, up 2 h\n"
        "role      active, epoch 3, position 42\n"
        "peer      beta: passive, protected, 5 records (1.5 kB, 0.2 s) behind\n"
        "copies    2 before 250\n"
        "queue     2 messages, 3 recipients, 4.2 kB, oldest 5 min\n"
        "sessions  7 open; 99 messages delivered while the client waited\n"
    )


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (changed(state="degraded", durability="local"), "the peer beta is degraded: new mail has one copy"),
        (changed(state="catchup"), "the peer beta is catchup: new mail has one copy"),
        (changed(problem="connection refused"), "no link to beta: connection refused"),
        (pb.StatusReply(role="fenced"), "the role is fenced"),
        (pb.StatusReply(role="rejoining"), "the role is rejoining"),
        (
            pb.StatusReply(role="alone", policy=BROKEN),
            "the policy is broken, and an older one in effect: p.sieve:3:4: unknown command dance",
        ),
        (pb.StatusReply(role="alone", unprotected_messages=3), "3 messages have one copy only"),
        (pb.StatusReply(role="alone", unprotected_messages=1), "1 message has one copy only"),
    ],
)
def test_status_of_a_node_that_is_not_healthy(
    admin: FakeAdmin, mtactl: Mtactl, status: pb.StatusReply, problem: str
) -> None:
    admin.status = status
    assert mtactl("status").exit_code == 1
    assert f"Not healthy: {problem}." in mtactl("status").stdout
    result = mtactl("status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["problems"]) == (1, [problem])


def test_what_a_dead_peer_was_is_told_as_past(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status = changed(state="degraded", problem="connection refused")
    assert "\npeer      beta: was passive, degraded, level\n" in mtactl("status").stdout
    admin.status.peer.role = ""
    assert "\npeer      beta: not heard, degraded, level\n" in mtactl("status").stdout


@pytest.mark.parametrize("state", ["protected", "suspect"])
@pytest.mark.parametrize("role", ["active", "passive"])
def test_a_node_that_does_its_job_is_healthy(admin: FakeAdmin, mtactl: Mtactl, state: str, role: str) -> None:
    admin.status = changed(state=state)
    admin.status.role = role
    assert mtactl("status").exit_code == 0


@pytest.mark.parametrize(
    ("level", "copies"),
    [
        ("remote-received", "copies    1 before 250, and the peer has received it\n"),
        ("local", "copies    1 before 250, as replication.level says\n"),
    ],
)
def test_a_lower_level_is_no_illness(admin: FakeAdmin, mtactl: Mtactl, level: str, copies: str) -> None:
    admin.status = changed(level=level, durability=level)
    admin.status.unprotected_messages = 3
    result = mtactl("status")
    assert result.exit_code == 0
    assert copies in result.stdout
    assert json.loads(mtactl("status", "--json").stdout)["peer"]["level"] == level
    admin.status.peer.state = "degraded"
    result = mtactl("status")
    assert result.exit_code == 1
    assert "3 messages have one copy only" in result.stdout


@pytest.mark.parametrize(
    ("witness", "row"),
    [
        (pb.Witness(name="w", state="silent"), "witness   w: not asked\n"),
        (pb.Witness(name="w", state="silent", problem="refused"), "witness   w: silent\n"),
        (pb.Witness(name="w", state="denied"), "witness   w: denied\n"),
    ],
)
def test_a_witness_that_was_not_asked_is_told_from_one_that_does_not_answer(
    admin: FakeAdmin, mtactl: Mtactl, witness: pb.Witness, row: str
) -> None:
    admin.status.witness.CopyFrom(witness)
    result = mtactl("status")
    assert row in result.stdout
    assert result.exit_code == bool(witness.problem)


def test_reload(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.policy = pb.Policy(loaded=1.5)
    result = mtactl("reload")
    assert (result.exit_code, result.stdout) == (0, "The policy is loaded.\n")
    assert admin.requests == [pb.ReloadRequest()]
    assert json.loads(mtactl("reload", "--json").stdout) == {"ok": True, "loaded": 1.5, "errors": []}


def test_reload_of_a_broken_policy(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.policy = BROKEN
    result = mtactl("reload")
    line = "p.sieve:3:4: unknown command dance\n"
    assert (result.exit_code, result.stdout) == (1, f"{line}{line}Refused: the policy is broken, the old one stays.\n")
    result = mtactl("reload", "--json")
    error = {"file": "p.sieve", "line": 3, "column": 4, "text": "unknown command dance"}
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"ok": False, "loaded": 1.5, "errors": [error] * 2})


@pytest.mark.parametrize("verb", ["promote", "switchover", "demote"])
def test_replica(admin: FakeAdmin, mtactl: Mtactl, verb: str) -> None:
    admin.replica = pb.ReplicaReply(done=True, seconds=0.42, epoch=4)
    result = mtactl("replica", verb)
    assert (result.exit_code, result.stdout) == (0, f"{verb.capitalize()} done in 0.4 s, epoch 4.\n")
    assert admin.requests == [pb.ReplicaRequest(verb=verb)]
    told = json.loads(mtactl("replica", verb, "--json").stdout)
    assert told == {"verb": verb, "done": True, "text": "", "seconds": 0.42, "epoch": 4, "risk": ""}


def test_replica_refused(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.replica = pb.ReplicaReply(done=False, text="the peer is active", risk="two owners")
    result = mtactl("replica", "promote")
    told = "Refused: the peer is active\nWhat --force would risk: two owners.\n"
    assert (result.exit_code, result.stdout) == (1, told)
    result = mtactl("replica", "promote", "--json")
    assert (result.exit_code, json.loads(result.stdout)["done"]) == (1, False)


def test_promote_with_force(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.replica = pb.ReplicaReply(done=True, text="the peer was not heard")
    assert "(the peer was not heard)" in mtactl("replica", "promote", "--force").stdout
    assert admin.requests == [pb.ReplicaRequest(verb="promote", force=True)]


def test_demote_with_force_says_what_it_may_cost(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.replica = pb.ReplicaReply(done=True, risk="nobody delivers")
    assert mtactl("replica", "demote", "--force").stdout.endswith("\nWhat it may cost: nobody delivers.\n")
    assert admin.requests == [pb.ReplicaRequest(verb="demote", force=True)]


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("queue", "list"), ("queue", "flush", "--all"), ("queue", "summary"), ("replica", "switchover")],
)
def test_no_node_answers(mtactl: Mtactl, socket: Path, arguments: tuple[str, ...]) -> None:
    result = mtactl(*arguments)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"mtactl: no node answers at {socket}; is `mtad run` running there?")
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [("status",), ("queue", "list")])
def test_a_node_that_hangs(admin: FakeAdmin, mtactl: Mtactl, socket: Path, arguments: tuple[str, ...]) -> None:
    admin.may_answer.clear()
    result = mtactl(*arguments, "--timeout", "0.2")
    assert result.exit_code == 3
    assert result.stderr == f"mtactl: the node at {socket} did not answer in 0.2 s\n"


@pytest.mark.parametrize("arguments", [("status",), ("queue", "list")])
def test_a_node_that_fails(admin: FakeAdmin, mtactl: Mtactl, socket: Path, arguments: tuple[str, ...]) -> None:
    admin.fault = "out of luck"
    result = mtactl(*arguments)
    assert result.exit_code == 1
    assert result.stderr == f"mtactl: the node at {socket} answered INTERNAL: out of luck\n"


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("192.0.2.1:7251", "192.0.2.1:7251 is not on loopback; run mtactl on that machine"),
        ("mx1.example.org:7251", "mx1.example.org:7251 is not on loopback; run mtactl on that machine"),
        ("localhost:x", "localhost:x has no port from 1 to 65535"),
        ("localhost:0", "localhost:0 has no port from 1 to 65535"),
        ("[::1]:65536", "[::1]:65536 has no port from 1 to 65535"),
        ("/" + "a" * 107, f"/{'a' * 107} is longer than the 107 octets of a socket's path"),
    ],
)
def test_an_address_that_is_not_asked(node: str, message: str) -> None:
    result = CliRunner().invoke(app, ["status", "--node", node])
    assert (result.exit_code, result.stderr) == (2, f"mtactl: {message}\n")


@pytest.mark.parametrize("node", ["localhost:1", "127.0.0.1:1", "[::1]:1"])
def test_loopback_is_asked(node: str) -> None:
    result = CliRunner().invoke(app, ["status", "--node", node])
    assert (result.exit_code, f"no node answers at {node};" in result.stderr) == (3, True)


def test_the_socket_is_the_one_of_the_configuration(socket: Path, tmp_path: Path) -> None:
    config = tmp_path / "mtad.toml"
    config.write_text(MINIMAL.replace("[smtp]", f'run_dir = "{socket.parent}"\n[smtp]'))
    with serving(FakeAdmin(), socket):
        for arguments, env in ((["--config", str(config)], {}), ([], {"MTAD_CONFIG": str(config)})):
            assert CliRunner().invoke(app, ["status", *arguments], env=env).exit_code == 0
            unix = ["--node", f"unix:{socket}"]
            assert CliRunner().invoke(app, ["status", *arguments, *unix], env=env).exit_code == 0


def test_without_anything_the_socket_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MTAD_CONFIG", raising=False)
    monkeypatch.setattr("mtad.cli.connection.DEFAULT_CONFIG", Path("/nowhere/mtad.toml"))
    monkeypatch.setattr("mtad.cli.connection.DEFAULT_SOCKET", Path("/nowhere/admin.sock"))
    assert "no node answers at /nowhere/admin.sock" in CliRunner().invoke(app, ["status"]).stderr


def test_without_anything_the_systems_configuration_says_where(
    socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTAD_CONFIG", raising=False)
    (tmp_path / "mtad.toml").write_text(MINIMAL.replace("[smtp]", f'run_dir = "{socket.parent}"\n[smtp]'))
    monkeypatch.setattr("mtad.cli.connection.DEFAULT_CONFIG", tmp_path / "mtad.toml")
    with serving(FakeAdmin(), socket):
        assert CliRunner().invoke(app, ["status"]).exit_code == 0


def test_a_socket_that_this_user_may_not_open(mtactl: Mtactl, socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtad.cli.node_client.may_connect", lambda path: path != socket)
    result = mtactl("status")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        f"mtactl: no node answers at {socket}; you may not open this socket: run mtactl as root or as mtad's user\n"
    )


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"mtactl {VERSION}\n"


def test_a_configuration_that_is_not_good_is_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["status", "--config", str(tmp_path / "none.toml")])
    assert (result.exit_code, "cannot be read" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["frob"], ["queue", "frob"], ["status", "--frob"], ["status", "--timeout", "0"], [], ["queue"]]
)
def test_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_config_check(tmp_path: Path) -> None:
    path = tmp_path / "mtad.toml"
    path.write_text(MINIMAL)
    result = CliRunner().invoke(app, ["config", "check", "--config", str(path)])
    assert (result.exit_code, result.stdout) == (0, f"{path} is good.\n")
    result = CliRunner().invoke(app, ["config", "check", "--json", "--config", str(path)])
    assert json.loads(result.stdout) == {"file": str(path), "ok": True, "errors": []}


def test_config_check_tells_every_error(tmp_path: Path) -> None:
    path = tmp_path / "mtad.toml"
    path.write_text(MINIMAL.replace("id = 1", "id = 99\nfrob = 1"))
    result = CliRunner().invoke(app, ["config", "check"], env={"MTAD_CONFIG": str(path)})
    assert result.exit_code == 1
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [f"{path}:3", f"{path}:4"]
    result = CliRunner().invoke(app, ["config", "check", "--json", "--config", str(path)])
    assert result.exit_code == 1
    assert [each["key"] for each in json.loads(result.stdout)["errors"]] == ["node.id", "node.frob"]


def test_config_show_writes_what_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "mtad.toml"
    path.write_text(MINIMAL + PAIR)
    settings = read(path)
    assert isinstance(settings, Settings)
    result = CliRunner().invoke(app, ["config", "show", "--config", str(path)])
    again = tmp_path / "again.toml"
    again.write_text(result.stdout)
    assert read(again) == settings
    result = CliRunner().invoke(app, ["config", "show", "--json", "--config", str(path)])
    assert json.loads(result.stdout)["smtp"]["listen"] == ["127.0.0.1:25"]


def test_config_show_of_a_bad_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["config", "show", "--config", str(tmp_path / "none.toml")])
    assert (result.exit_code, result.stdout, "cannot be read" in result.stderr) == (1, "", True)


def test_verify_says_that_both_are_equal(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.verified = pb.VerifyReply(messages=7, octets=878, seconds=0.5)
    result = mtactl("replica", "verify")
    assert (result.exit_code, "the same 7 messages" in result.stdout) == (0, True)
    assert json.loads(mtactl("replica", "verify", "--json").stdout)["equal"] is True


def test_verify_names_differences_and_fails(admin: FakeAdmin, mtactl: Mtactl) -> None:
    different = pb.Difference(queue_id="01JD4Z8Q6K", what="only here")
    admin.verified = pb.VerifyReply(messages=7, differences=[different], is_cut_short=True)
    result = mtactl("replica", "verify")
    assert result.exit_code == 1
    assert "01JD4Z8Q6K" in result.stdout
    assert "only the first 1" in result.stdout
    found = json.loads(mtactl("replica", "verify", "--json").stdout)
    assert (found["equal"], found["is_cut_short"]) == (False, True)
    assert found["differences"] == [{"queue_id": "01JD4Z8Q6K", "what": "only here"}]


def test_verify_without_a_peer_is_refused(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.verified = pb.VerifyReply(refused="no link to the peer stands")
    result = mtactl("replica", "verify")
    assert (result.exit_code, result.stdout) == (1, "Refused: no link to the peer stands\n")


def test_resync_says_what_came(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.resynced = pb.ResyncReply(messages=7, fetched=2, seconds=0.5)
    result = mtactl("replica", "resync")
    assert (result.exit_code, admin.requests) == (0, [pb.ResyncRequest()])
    assert result.stdout == "Both nodes hold the same 7 messages; 2 came from the peer in 0.5 s.\n"
    assert json.loads(mtactl("replica", "resync", "--json").stdout)["fetched"] == 2
    admin.resynced = pb.ResyncReply(messages=7)
    assert "nothing was fetched" in mtactl("replica", "resync").stdout


def test_resync_names_what_differs_still_and_fails(admin: FakeAdmin, mtactl: Mtactl) -> None:
    different = pb.Difference(queue_id="01JD4Z8Q6K", what="only here")
    admin.resynced = pb.ResyncReply(messages=7, differences=[different], is_cut_short=True, fetched=3)
    result = mtactl("replica", "resync")
    assert result.exit_code == 1
    for told in ("01JD4Z8Q6K", "only here", "only the first 1", "3 came from the peer", "at the peer"):
        assert told in result.stdout
    found = json.loads(mtactl("replica", "resync", "--json").stdout)
    assert (found["done"], found["differences"]) == (True, [{"queue_id": "01JD4Z8Q6K", "what": "only here"}])


def test_a_full_resync_says_where_the_old_queue_is(admin: FakeAdmin, mtactl: Mtactl) -> None:
    different = pb.Difference(queue_id="01JD4Z8Q6K", what="only here")
    admin.resynced = pb.ResyncReply(
        set_aside="/var/lib/mtad/queue/aside-1", differences=[different], risk="one is lost"
    )
    result = mtactl("replica", "resync", "--full", "--force")
    assert (result.exit_code, admin.requests) == (0, [pb.ResyncRequest(full=True, force=True)])
    assert "is in /var/lib/mtad/queue/aside-1." in result.stdout
    assert "What it may cost: one is lost." in result.stdout


def test_a_refused_resync_says_what_force_would_risk(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.resynced = pb.ResyncReply(refused="the peer is away", risk="nothing fills it")
    result = mtactl("replica", "resync", "--full")
    assert result.exit_code == 1
    assert result.stdout == "Refused: the peer is away\nWhat --force would risk: nothing fills it.\n"
    assert json.loads(mtactl("replica", "resync", "--json").stdout)["set_aside"] is None


def test_backup_is_asked_for_by_its_absolute_path(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.backup = pb.BackupReply(octets=4096, seconds=0.1)
    result = mtactl("queue", "backup", "copies/today")
    assert result.exit_code == 0
    assert admin.requests == [pb.BackupRequest(directory=str(Path.cwd() / "copies/today"))]
    admin.backup = pb.BackupReply(refused="No space left on device")
    result = mtactl("queue", "backup", "copies/today", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "done": False,
        "octets": 0,
        "seconds": 0.0,
        "refused": "No space left on device",
    }


def test_compaction_tells_both_sizes(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.compacted = pb.CompactReply(octets_before=4 << 20, octets=1 << 20, seconds=0.5)
    result = mtactl("queue", "compact")
    assert (result.exit_code, result.stdout) == (0, "From 4.2 MB to 1 MB in 0.5 s.\n")
    assert admin.requests == [pb.CompactRequest()]
    admin.compacted = pb.CompactReply(octets_before=4, octets=4, refused="the disk has no room")
    result = mtactl("queue", "compact")
    assert (result.exit_code, result.stdout) == (1, "Refused: the disk has no room\n")
    result = mtactl("queue", "compact", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "done": False,
        "octets_before": 4,
        "octets": 4,
        "seconds": 0.0,
        "refused": "the disk has no room",
    }


def test_a_node_that_does_not_understand_its_peer_is_not_healthy(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status = pb.StatusReply()
    admin.status.CopyFrom(PAIRED)
    admin.status.is_unfit = True
    result = mtactl("status")
    assert result.exit_code == 1
    assert "does not deliver until it is upgraded" in result.stdout


def test_a_full_queue_is_a_problem(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status = pb.StatusReply()
    admin.status.CopyFrom(PAIRED)
    admin.status.is_full = True
    result = mtactl("status")
    assert result.exit_code == 1
    assert "Not healthy: the queue's file or its disk is full" in result.stdout


def test_damaged_messages_are_a_problem(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.status = pb.StatusReply()
    admin.status.CopyFrom(PAIRED)
    admin.status.damaged_messages = 2
    result = mtactl("status", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["damaged_messages"] == 2
    assert found["problems"] == ["2 messages are damaged here and have not come back from the peer"]


@pytest.mark.parametrize(
    ("module", "where", "told"),
    [
        ("mtad.cli", "> /dev/full", "mtactl: cannot write: No space left on device\n"),
        ("mtad.cli", ">&-", "mtactl: the standard output is closed\n"),
        ("mtad.main", "> /dev/full", "mtad: cannot write: No space left on device\n"),
        ("mtad.main", ">&-", "mtad: the standard output is closed\n"),
    ],
)
def test_what_cannot_be_written_is_told_in_a_line(module: str, where: str, told: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m {module} --version {where}"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=buffered)
    assert (result.returncode, result.stderr) == (1, told)
