"""The page is what the command line says of itself, and names every JSON member that is written."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from mtad.cli import reference
from mtad.cli.shapes import entry_object, message_object, status_object
from mtad.pb import admin_pb2 as pb

VERBS = """
    status; reload; queue list; queue show; queue flush; queue hold; queue release; queue delete; queue summary;
    queue backup; queue compact; replica promote; replica switchover; replica demote; replica verify; replica resync;
    site list; site promote; config check; config show; sieve check; sieve test; sieve trace;
    user add; user passwd; user delete; user list
"""


def test_the_page_is_fresh() -> None:
    assert reference.PAGE.read_text() == reference.page()


def test_the_verbs_are_those_that_were_promised() -> None:
    assert [name for name, _ in reference.commands()] == [f"mtactl {verb.strip()}" for verb in VERBS.split(";")]


def test_json_is_everywhere() -> None:
    assert [name for name, text in reference.commands() if "--json" not in text] == []
    asking = [name for name, text in reference.commands() if "--node ADDR" in text and "--timeout" in text]
    assert len(asking) == len(VERBS.split(";")) - 9  # config, sieve and user read files only


def test_every_member_is_told() -> None:
    entry = pb.QueueEntry(recipients=[pb.QueueRecipient(delay_reason="x")])
    history = [pb.RecipientHistory(attempts=[pb.AttemptLine()])]
    shapes = [
        status_object(pb.StatusReply(peer=pb.Peer(node="beta"), sites=[pb.Far()])),
        entry_object(entry),
        message_object(pb.QueueShowReply(entry=entry, history=history), has_octets=True),
    ]
    members = set(re.findall(r'"(\w+)":', json.dumps(shapes)))
    assert len(members) > 40
    assert {member for member in members if f"`{member}`" not in reference.page()} == set()


def test_check_and_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "mtactl.md"
    monkeypatch.setattr(reference, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    with pytest.raises(SystemExit, match="stale"):
        reference.main()
    monkeypatch.setattr(sys, "argv", ["reference"])
    reference.main()
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    reference.main()
    assert page.read_text() == reference.page()
