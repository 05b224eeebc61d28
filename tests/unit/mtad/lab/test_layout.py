"""The laboratory's files fit each other, and mtad reads them."""

from __future__ import annotations

from pathlib import Path

import dns.message
import pytest
from cryptography.hazmat.primitives import serialization

from mtad.config.read import read
from mtad.config.settings import Settings
from mtad.lab.dns import respond
from mtad.lab.layout import NodeShape, Ports, lay_nodes, make_keys, zones

PORTS = Ports(
    dns=5301,
    smtp_sink=2599,
    lmtp_sink=2424,
    smtp=(2525, 2526),
    submission=(2587, 2588),
    submissions=(2465, 2466),
    monitoring=(7261, 7262),
    replication=(7251, 7252),
    peer=(7252, 7251),
)


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("lab")
    return folder, make_keys(folder / "keys")


def test_both_nodes_are_configured_as_each_others_peer(laid: tuple[Path, str]) -> None:
    nodes = lay_nodes(laid[0], PORTS)
    settings = [read(node.config) for node in nodes]
    first, second = settings
    assert isinstance(first, Settings)
    assert isinstance(second, Settings)
    assert first.replication is not None
    assert second.replication is not None
    for one, other in ((first, second), (second, first)):
        assert one.replication is not None
        assert other.replication is not None
        assert one.replication.peer.name == other.node.name
        assert one.replication.peer.id == other.node.id
        assert one.replication.peer.address == other.replication.listen
        for path in (one.smtp.tls_cert, one.smtp.tls_key, one.replication.ca, one.replication.cert):
            assert path is not None
            assert path.is_file()
    assert [each.smtp_port for each in nodes] == [2525, 2526]
    watched = [each.monitoring.listen for each in (first, second) if each.monitoring is not None]
    assert watched == [((nodes[0].smtp_host, 7261),), ((nodes[1].smtp_host, 7262),)]
    assert [each.monitoring_port for each in nodes] == [7261, 7262]
    assert nodes[0].admin_socket == first.node.admin_socket
    policy = (nodes[0].folder / "policy.sieve").read_text()
    assert ":port 2424" in policy
    assert ":port 2599" in policy
    assert "_PORT" not in policy


def test_nodes_can_be_shaped(laid: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "keys").symlink_to(laid[0] / "keys")
    shape = NodeShape(workers=2, settings="[delivery]\ndeadline_seconds = 3\n", wrapper=("env", "A={folder}/a"))
    first, _ = lay_nodes(tmp_path, PORTS, shape=shape)
    settings = read(first.config)
    assert isinstance(settings, Settings)
    assert (settings.node.workers, settings.delivery.deadline_seconds) == (2, 3.0)
    assert first.command[:2] == ("env", f"A={tmp_path}/mx1/a")
    assert first.command[-1] == str(first.config)


def test_the_published_key_is_the_one_that_signs(laid: tuple[Path, str]) -> None:
    folder, text = laid
    response = respond(zones(text), dns.message.make_query("lab._domainkey.lab.test.", "TXT"))
    (rdata,) = response.answer[0]
    assert all(len(part) <= 255 for part in rdata.strings)
    assert b"".join(rdata.strings).decode() == text
    key = serialization.load_pem_private_key((folder / "keys/dkim.key").read_bytes(), None)
    assert key.key_size >= 2048  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        ("example.test.", "MX", ["10 sink.example.test."]),
        ("sink.example.test.", "A", ["127.0.0.1"]),
        ("local.test.", "MX", ["10 mx1.lab.test.", "20 mx2.lab.test."]),
        ("lab.test.", "MX", ["10 mx1.lab.test.", "20 mx2.lab.test."]),
        ("mx2.lab.test.", "A", ["127.0.0.1"]),
        ("1.0.0.127.in-addr.arpa.", "PTR", ["mx1.lab.test."]),
    ],
)
def test_the_zones_lead_everywhere(name: str, rdtype: str, expected: list[str]) -> None:
    response = respond(zones("v=DKIM1; p=x"), dns.message.make_query(name, rdtype))
    assert sorted(str(rdata) for rdata in response.answer[0]) == expected
