"""A policy that is loaded anew is the one that mtad.toml names then, with the maps that it names then."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.admission.facts import SessionFacts
from mtad.admission.policy import Policy, PolicyErrors
from mtad.mail.envelope import Client
from mtad.main.policy_source import PolicySource
from mtad.maps.shelf import build_shelf
from mtad.sieve.outside import Outside
from mtad.telemetry.events import CollectedEvents
from tests.fakes.configuration import MINIMAL, settings_of

POLICY = """\
require ["variables", "environment", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup"];
stage "connect" { if lookup :into "said" "map:clients" "${env.remote_ip}" { ereject "${said} at ${env.host}"; } }
"""


def source_of(folder: Path, table: str) -> PolicySource:
    config = folder / "mtad.toml"
    config.write_text(MINIMAL + table)
    settings = settings_of(config.read_text(), config)
    maps = build_shelf(settings.policy.maps)
    return PolicySource(config, settings, maps, Outside(), CollectedEvents())


async def said(policy: Policy | PolicyErrors) -> str:
    assert isinstance(policy, Policy), str(policy)
    reply = (await policy.connect(SessionFacts(Client("192.0.2.9", 1)))).reply
    return str(reply) if reply is not None else ""


@pytest.fixture
def source(tmp_path: Path) -> PolicySource:
    (tmp_path / "one").write_text("192.0.2.9 one\n")
    (tmp_path / "two").write_text("192.0.2.9 two\n")
    (tmp_path / "policy.sieve").write_text(POLICY)
    return source_of(tmp_path, '[policy]\nfile = "policy.sieve"\n[policy.maps]\nclients = "file:one"\n')


async def test_another_map_of_the_name(source: PolicySource) -> None:
    first = source.first()
    assert await said(first) == "554 5.7.1 one at mx1.example.org"
    source.config.write_text(source.config.read_text().replace("file:one", "file:two"))
    assert await said(source.anew()) == "554 5.7.1 two at mx1.example.org"
    assert await said(first) == "554 5.7.1 one at mx1.example.org"


async def test_another_file(source: PolicySource) -> None:
    (source.config.parent / "other.sieve").write_text(POLICY.replace("${said}", "other"))
    source.config.write_text(source.config.read_text().replace("policy.sieve", "other.sieve"))
    assert await said(source.anew()) == "554 5.7.1 other at mx1.example.org"


@pytest.mark.parametrize(
    ("old", "new", "where", "text"),
    [
        ("file:one", "file:none", "none:1:1", "map clients: cannot be read: No such file or directory"),
        ("clients =", "people =", "policy.sieve:2:", 'there is no map "clients" in policy.maps of mtad.toml'),
        ("clients =", "clients", "mtad.toml:12:1", "not TOML"),
        ('"policy.sieve"', "5", "mtad.toml:10:1", "policy.file"),
    ],
)
async def test_what_is_broken_changes_nothing(source: PolicySource, old: str, new: str, where: str, text: str) -> None:
    before = source.maps.maps
    source.config.write_text(source.config.read_text().replace(old, new))
    found = source.anew()
    assert isinstance(found, PolicyErrors)
    assert where in str(found)
    assert text in str(found)
    assert source.maps.maps is before


async def test_a_fault_of_ours_changes_nothing(source: PolicySource, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Policy:
        raise RecursionError("too deep")

    monkeypatch.setattr(Policy, "load", fail)
    before = source.maps.maps
    with pytest.raises(RecursionError):
        source.anew()
    assert source.maps.maps is before
    monkeypatch.undo()
    assert await said(source.anew()) == "554 5.7.1 one at mx1.example.org"


def test_what_nobody_can_answer_is_told_when_the_policy_is_loaded(source: PolicySource) -> None:
    (source.config.parent / "policy.sieve").write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.mailauth", "vnd.mtad.service"];\n'
        'stage "data" { authresults; milter "opendkim"; if spf "fail" { stop; } if spf :helo "fail" { stop; } }\n'
    )
    assert isinstance(source.anew(), Policy)
    events = source.events
    assert isinstance(events, CollectedEvents)
    assert events.named("policy.lacks") == [{"what": "milter opendkim"}, {"what": "spf"}]
