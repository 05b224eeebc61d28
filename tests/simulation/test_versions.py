"""Members of two versions: each history of a rolling upgrade keeps every promise, and says nothing the older lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicator.core.messages import Ack, Beat, Hello, Records
from replicator.core.values import AckLevel, Authority, Branch, Kind, Record, Role
from replicator.core.versions import MESSAGES
from tests.simulation import campaign
from tests.simulation.campaign import CALM, TROUBLE, WITNESSED
from tests.simulation.clock import Violation
from tests.simulation.script import FOREVER, Plan, draw
from tests.simulation.versions import OLD, as_carried

UNTOLD = Hello("group", 0, "node0", b"store", 7, 1, 2, {}, Authority(1, 0), Role.ACTIVE, session=3)
HELLO = UNTOLD._replace(mode="pair", lease=9, wants_received=True)


@pytest.mark.parametrize("plan", [TROUBLE, WITNESSED], ids=["pair", "witness"])
def test_a_rolling_upgrade_keeps_every_promise(plan: Plan) -> None:
    total = campaign.run(range(1, 61), replace(plan, old_share=1.0))
    assert total.failures == []
    assert total.counts["upgraded"] > 20
    assert total.counts["link of version 1"] > 60
    assert total.counts["link of version 2"] > 20


def test_an_older_member_is_as_good_as_another_where_nothing_fails() -> None:
    total = campaign.run(range(1, 11), replace(CALM, old_share=1.0))
    assert total.failures == []
    assert total.counts["link of version 2"] == 0
    assert total.counts["duplicate"] == 0


def test_who_does_not_say_what_it_received_is_waited_for_until_its_disk_has_it() -> None:
    plan = replace(TROUBLE, level=AckLevel.REMOTE_RECEIVED, old_share=1.0)
    scripts = [script for seed in range(1, 61) if FOREVER in (script := draw(seed, plan)).old_until]
    total = campaign.run_scripts(scripts)
    assert total.failures == []
    assert total.counts["ack of what is received"] == 0
    assert total.counts["acknowledged"] > 100


def test_what_the_older_version_lacks_does_not_arrive() -> None:
    assert as_carried(OLD, HELLO) == UNTOLD._replace(version_max=1)
    assert as_carried(OLD, Ack({Branch(0, 1): 2}, {Branch(0, 1): 3})) == Ack({Branch(0, 1): 2})
    beat = Beat({}, Authority(1, 0), Role.ACTIVE, 1, 1000)
    assert as_carried(OLD, beat._replace(feeding=(7,))) == beat


def test_a_kind_that_the_older_version_lacks_must_not_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records(Branch(0, 1), 1, (Record(Kind.VOID, b"k"),))
    assert as_carried(OLD, records) is records
    monkeypatch.setitem(MESSAGES, Records, 2)
    with pytest.raises(Violation, match="V1: Records is sent to a member of version 1"):
        as_carried(OLD, records)
