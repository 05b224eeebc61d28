"""Who dials whom, who is expected, and what must be configured for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from replicator.connecting import link_settings, listening
from replicator.settings import NO_PEER, NodeSettings, SiteSettings

FILE = Path("file.pem")
ALONE = NodeSettings("group", 1, "a.test", Path("store"), 2, ca_path=FILE, cert_path=FILE, key_path=FILE)
FAR = SiteSettings(3, "far.test", "192.0.2.3:7250", octets_per_second=100_000)
DIALLER = replace(ALONE, peer_node=2, peer_name="b.test", peer_address="192.0.2.2:7250", listen_address="[::]:7250")
LISTENER = replace(DIALLER, node=2, name="b.test", peer_node=1, peer_name="a.test", peer_address="192.0.2.1:7250")
SITE = replace(
    ALONE,
    node=3,
    name="far.test",
    listen_address="[::]:7250",
    follows=(SiteSettings(1, "a.test"), SiteSettings(2, "b.test")),
)


def dialled(settings: NodeSettings) -> dict[int, str]:
    return {link.peer_node: link.dial_address for link in link_settings(settings)}


@pytest.mark.parametrize(
    ("settings", "dials", "expects"),
    [
        (DIALLER, {2: "192.0.2.2:7250"}, {}),
        (LISTENER, {1: ""}, {1: "a.test"}),
        (replace(DIALLER, sites=(FAR,)), {2: "192.0.2.2:7250", 3: "192.0.2.3:7250"}, {}),
        (replace(LISTENER, sites=(FAR,)), {1: "", 3: "192.0.2.3:7250"}, {1: "a.test"}),
        (SITE, {1: "", 2: ""}, {1: "a.test", 2: "b.test"}),
        (replace(ALONE, ca_path=None), {}, {}),
    ],
)
def test_who_dials_and_who_is_expected(settings: NodeSettings, dials: dict[int, str], expects: dict[int, str]) -> None:
    assert dialled(settings) == dials
    where = listening(settings)
    assert (where[2] if where else {}) == expects


def test_a_line_across_a_wan_is_spared_and_given_time() -> None:
    near, far = link_settings(replace(DIALLER, sites=(FAR,)))
    assert (near.is_compressed, near.octets_per_second) == (False, 0)
    assert (far.is_compressed, far.octets_per_second) == (True, 100_000)
    assert far.keepalive_seconds > near.keepalive_seconds


@pytest.mark.parametrize(("promote_after_seconds", "redial_seconds_max"), [(3_600.0, 2.0), (3.0, 0.75), (0.6, 0.15)])
def test_a_peer_is_dialled_often_enough_to_be_heard_before_it_takes_over(
    promote_after_seconds: float, redial_seconds_max: float
) -> None:
    near, far = link_settings(replace(DIALLER, promote_after_seconds=promote_after_seconds, sites=(FAR,)))
    assert near.redial_seconds_max == pytest.approx(redial_seconds_max)
    assert far.redial_seconds_max == 2.0


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (replace(DIALLER, peer_address=""), "a peer needs peer_address"),
        (replace(LISTENER, listen_address=""), "a peer needs listen_address"),
        (replace(DIALLER, key_path=None), "a peer needs ca_path, cert_path and key_path"),
        (replace(DIALLER, sites=(SiteSettings(3, "far.test"),)), "the site far.test needs an address"),
    ],
)
def test_what_a_link_needs(settings: NodeSettings, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        link_settings(settings)


def test_a_site_listens() -> None:
    assert SITE.peer_node == NO_PEER
    with pytest.raises(ValueError, match="a site needs listen_address"):
        listening(replace(SITE, listen_address=""))
