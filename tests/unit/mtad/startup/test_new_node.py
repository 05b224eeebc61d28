"""What the operator writes becomes a plan or all its errors; what is written works and publishes right."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dns.rdatatype
import dns.zone
import pytest

from mtad.config.forms import Address
from mtad.config.read import read
from mtad.config.settings import Followed, Settings, Site
from mtad.startup.new_node import (
    Asked,
    Member,
    NewNode,
    NotUnderstood,
    Voter,
    dns_records,
    files_to_mention,
    plan,
    write_new_node,
)
from mtad.startup.provision import dkim_record

TODAY = date(2026, 11, 22)


def planned(folder: Path, asked: Asked) -> NewNode:
    new = plan(folder, asked, TODAY)
    assert isinstance(new, NewNode), new
    return new


def test_a_pair_is_planned(tmp_path: Path) -> None:
    new = planned(tmp_path, Asked("MX1.example.org", ["Example.org", "example.org"], "mx2=mx2.example.org:7300"))
    assert new.member == Member("mx1", 1, "mx1.example.org", Address("mx1.example.org", 7300))
    assert new.peer == Member("mx2", 2, "mx2.example.org", Address("mx2.example.org", 7300))
    assert (new.domains, new.selector) == (("example.org",), "m202611")
    assert new.listen == ("0.0.0.0:25", "[::]:25")


@pytest.mark.parametrize(
    ("peer", "hostname", "address"),
    [
        ("mx2=mx2.example.org", "mx2.example.org", Address("mx2.example.org", 7250)),
        ("mx2=192.0.2.2:7300", "mx2.example.org", Address("192.0.2.2", 7300)),
        ("mx2=other:7300", "mx2.example.org", Address("other", 7300)),
        ("mx2=[2001:db8::2]:7300", "mx2.example.org", Address("2001:db8::2", 7300)),
        ("mx2=[2001:db8::2]", "mx2.example.org", Address("2001:db8::2", 7250)),
    ],
)
def test_a_peers_host_name(tmp_path: Path, peer: str, hostname: str, address: Address) -> None:
    new = planned(tmp_path, Asked("mx1.example.org", ["example.org"], peer))
    assert new.peer == Member("mx2", 2, hostname, address)


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    found = plan(tmp_path, Asked("mx1", ["a_b"], "MX2=:", ["x"]), TODAY)
    assert isinstance(found, NotUnderstood)
    starts = ("--hostname 'mx1' has no domain", "--domain 'a_b'", "--listen 'x'", "--peer 'MX2'", "--peer ':'")
    for error, start in zip(found.errors, starts, strict=True):
        assert error.startswith(start)
        assert "; allowed: " in error


def test_a_peer_has_another_name(tmp_path: Path) -> None:
    found = plan(tmp_path, Asked("mx1.example.org", ["example.org"], "mx1=mx2.example.org"), TODAY)
    assert found == NotUnderstood(("--peer 'mx1' is another's name already",))


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (Asked("mx1.example.org", ["example.org"], "mx2"), "--peer 'mx2' has no address; allowed: NAME=HOST:PORT"),
        (Asked("mx1.example.org", ["example.org"], "mx2=2001:db8::2"), "--peer '2001:db8::2' looks like an IPv6"),
        (Asked("mx1.example.org", ["example.org"], "mx2=b", address=":x"), "--address ':x' "),
        (Asked("mx1.example.org", ["example.org"], address="a:1"), "--address 'a:1' is of use to a pair alone; give"),
    ],
)
def test_addresses_of_a_pair_that_are_no_use(tmp_path: Path, asked: Asked, error: str) -> None:
    found = plan(tmp_path, asked, TODAY)
    assert isinstance(found, NotUnderstood)
    (only,) = found.errors
    assert only.startswith(error)


@pytest.mark.parametrize(("given", "port"), [("[2001:db8::3]", 7252), ("[2001:db8::3]:7400", 7400)])
def test_the_witnesss_port_may_be_left_out(tmp_path: Path, given: str, port: int) -> None:
    new = planned(tmp_path, Asked("mx1.example.org", ["example.org"], "mx2=192.0.2.2", witness=f"w={given}"))
    assert new.witness == Voter("w", Address("2001:db8::3", port))


def test_each_member_listens_where_the_other_calls(tmp_path: Path) -> None:
    asked = Asked("mx1.example.org", ["example.org"], "mx2=192.0.2.2:7302", address="192.0.2.1:7301")
    write_new_node(planned(tmp_path, asked))
    ours, theirs = read(tmp_path / "mtad.toml"), read(tmp_path / "for-mx2" / "mtad.toml")
    assert isinstance(ours, Settings)
    assert isinstance(theirs, Settings)
    assert ours.replication is not None
    assert theirs.replication is not None
    assert (ours.replication.listen, theirs.replication.listen) == (Address("::", 7301), Address("::", 7302))
    assert ours.replication.peer.address == Address("192.0.2.2", 7302)
    assert theirs.replication.peer.address == Address("192.0.2.1", 7301)


def test_nothing_is_written_beside_strange_files(tmp_path: Path) -> None:
    (tmp_path / "policy.sieve").write_text("kept")
    with pytest.raises(FileExistsError, match="is not empty"):
        write_new_node(planned(tmp_path, Asked("mx1.example.org", ["example.org"])))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("is_there", [True, False])
def test_where_not_all_can_be_written_nothing_is_left(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "new" / "node"
    if is_there:
        folder.mkdir(parents=True)
    hostname = ".".join([*["a" * 63] * 3, "a" * 57, "org"])  # no file can be named after it, with an end
    with pytest.raises(OSError, match="File name too long"):
        write_new_node(planned(folder, Asked(hostname, ["example.org"], "mx2=mx2.example.org")))
    assert list(tmp_path.rglob("*")) == ([folder.parent, folder] if is_there else [])


def test_both_members_settings_fit_together(tmp_path: Path) -> None:
    new = planned(tmp_path, Asked("mx1.example.org", ["example.org"], "mx2=mx2.example.org:7300", ["127.0.0.1:0"]))
    write_new_node(new)
    ours, theirs = read(tmp_path / "mtad.toml"), read(tmp_path / "for-mx2" / "mtad.toml")
    assert isinstance(ours, Settings)
    assert isinstance(theirs, Settings)
    assert ours.replication is not None
    assert theirs.replication is not None
    assert (ours.replication.peer.name, ours.replication.peer.id) == (theirs.node.name, theirs.node.id)
    assert (theirs.replication.peer.name, theirs.replication.peer.id) == (ours.node.name, ours.node.id)
    assert theirs.replication.peer.address == Address("mx1.example.org", 7300)
    assert ours.replication.group == theirs.replication.group
    assert ours.dkim.keys[0].file.read_bytes() == theirs.dkim.keys[0].file.read_bytes()
    assert not (tmp_path / "for-mx2" / "replication" / "ca.key").exists()
    assert [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077] == []


def test_a_node_alone_has_no_pairs_files(tmp_path: Path) -> None:
    new = planned(tmp_path, Asked("mx1.example.org", ["example.org"]))
    write_new_node(new)
    settings = read(tmp_path / "mtad.toml")
    assert isinstance(settings, Settings)
    assert settings.replication is None
    assert not (tmp_path / "replication").exists()
    assert not any("Move" in line or "ca.key" in line for line in files_to_mention(new))


def test_nothing_is_written_over_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "mtad.toml").write_text("kept")
    with pytest.raises(FileExistsError, match=r"mtad\.toml exists"):
        write_new_node(planned(tmp_path, Asked("mx1.example.org", ["example.org"])))
    assert [path.name for path in tmp_path.iterdir()] == ["mtad.toml"]


def test_the_records_are_a_zone(tmp_path: Path) -> None:
    new = planned(tmp_path, Asked("mx1.example.org", ["example.org"], "mx2=mx2.example.org"))
    write_new_node(new)
    text = "$TTL 60\nexample.org. IN SOA a. b. 1 2 3 4 5\nexample.org. IN NS a.\n" + "\n".join(dns_records(new)) + "\n"
    zone = dns.zone.from_text(text, "example.org.", relativize=False)
    mx = zone.find_rdataset("example.org.", dns.rdatatype.MX)
    assert sorted((each.preference, str(each.exchange)) for each in mx) == [
        (10, "mx1.example.org."),
        (20, "mx2.example.org."),
    ]
    (txt,) = zone.find_rdataset("m202611._domainkey.example.org.", dns.rdatatype.TXT)
    assert b"".join(txt.strings).decode() == dkim_record(tmp_path / "keys" / "dkim.key")


def test_a_pair_with_a_site_comes_with_the_sites_files(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    asked = Asked("mx1.example.org", ["example.org"], "mx2=192.0.2.2", site="far=203.0.113.4:7300")
    new = planned(folder, asked)
    write_new_node(new)
    for where in (folder, folder / "for-mx2"):
        settings = read(where / "mtad.toml")
        assert isinstance(settings, Settings)
        assert settings.replication is not None
        assert settings.replication.sites == (Site("far", 3, Address("203.0.113.4", 7300)),)
    settings = read(folder / "for-far" / "mtad.toml")
    assert isinstance(settings, Settings)
    assert settings.replication is not None
    assert (settings.node.name, settings.node.id, settings.node.hostname) == ("far", 3, "far.example.org")
    assert settings.replication.listen.port == 7300
    assert settings.replication.members == (Followed("mx1", 1), Followed("mx2", 2))
    assert any("for-far to far.example.org" in line for line in files_to_mention(new))
    assert 'example.org. IN TXT "v=spf1 mx a:far.example.org -all"' in dns_records(new)


@pytest.mark.parametrize(
    ("peer", "site", "error"),
    [
        ("", "far=192.0.2.4", "give --peer with it"),
        ("mx2=192.0.2.2", "far", "allowed: NAME=HOST:PORT"),
        ("mx2=192.0.2.2", "mx2=192.0.2.4", "--site 'mx2' is another's name already"),
        ("mx2=192.0.2.2", "far=no host", "--site 'no host'"),
    ],
)
def test_a_site_that_cannot_be(tmp_path: Path, peer: str, site: str, error: str) -> None:
    found = plan(tmp_path, Asked("mx1.example.org", ["example.org"], peer, site=site), date(2026, 1, 1))
    assert isinstance(found, NotUnderstood)
    assert error in "\n".join(found.errors)
