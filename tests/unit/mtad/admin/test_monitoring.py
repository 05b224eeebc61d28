"""What watchers are told is what `mtactl status` knows, and stands on its page."""

from __future__ import annotations

import pytest

from mtad.admin import reference
from mtad.admin.health import failings, problems, why_not_ready
from mtad.admin.measures import MEASURES, measured
from mtad.admin.monitoring import monitoring_pages
from mtad.pb import admin_pb2 as pb
from mtad.telemetry.counted import COUNTS
from mtad.telemetry.events import CollectedEvents
from mtad.telemetry.tally import Tally

ALONE = pb.StatusReply(node="mx1", role="alone", version="1", workers=2, epoch=3, queue=pb.Queue(messages=4))
PAIR = pb.StatusReply(
    node="mx1",
    role="active",
    workers=1,
    unprotected_messages=2,
    lease_seconds=1.5,
    witness=pb.Witness(name="w", problem="silent"),
    peer=pb.Peer(node="mx2", state="degraded", lag_records=5, lag_octets=600, lag_seconds=7.5, problem="refused"),
    sites=[pb.Far(node="far", state="up", is_fed=True, lag_records=8), pb.Far(node="low", state="down")],
    policy=pb.Policy(loaded=10, broken=20, errors=[pb.PolicyError(file="p", line=1, column=2, text="no")]),
)


def series(status: pb.StatusReply) -> dict[str, float]:
    return {
        " ".join((family.metric.name, *sample.values)): sample.number
        for family in measured(status)
        for sample in family.samples
    }


def test_a_node_alone_says_nothing_of_others() -> None:
    found = series(ALONE)
    assert (found["mtad_info mx1 1"], found["mtad_epoch"], found["mtad_queue_messages"]) == (1, 3, 4)
    assert (found["mtad_role alone"], found["mtad_role active"], found["mtad_policy_broken"]) == (1, 0, 0)
    of_others = ("mtad_lag", "mtad_link", "mtad_protection", "mtad_unprotected", "mtad_witness", "mtad_lease")
    assert [name for name in found if name.startswith(of_others)] == []


def test_a_pair_says_how_its_links_are() -> None:
    found = series(PAIR)
    expected = {
        "mtad_protection degraded": 1,
        "mtad_protection protected": 0,
        "mtad_link_up mx2": 0,
        "mtad_link_up far": 1,
        "mtad_link_up low": 0,
        "mtad_lag_records mx2": 5,
        "mtad_lag_octets mx2": 600,
        "mtad_lag_seconds mx2": 7.5,
        "mtad_lag_records far": 8,
        "mtad_unprotected_messages": 2,
        "mtad_witness_answers": 0,
        "mtad_lease_seconds": 1.5,
        "mtad_policy_broken": 1,
        "mtad_policy_broken_timestamp_seconds": 20,
        "mtad_policy_loaded_timestamp_seconds": 10,
        "mtad_problems": len(problems(PAIR)),
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "mtad_lag_records low" not in found


@pytest.mark.parametrize(
    ("status", "is_healthy", "is_ready"),
    [
        (ALONE, True, True),
        (PAIR, True, True),  # others have failed, not this node
        (pb.StatusReply(role="following", workers=1), True, True),
        (pb.StatusReply(role="fenced", workers=1), False, True),
        (pb.StatusReply(role="active", workers=1, is_unfit=True), False, True),
        (pb.StatusReply(role="active", workers=1, is_full=True), True, False),
        (pb.StatusReply(role="active", workers=0), True, False),
        (pb.StatusReply(role="stopped", workers=1), False, False),
    ],
)
def test_a_node_is_healthy_by_what_itself_does(status: pb.StatusReply, is_healthy: bool, is_ready: bool) -> None:
    assert (not failings(status), not why_not_ready(status)) == (is_healthy, is_ready)
    pages = monitoring_pages(lambda: status, Tally(CollectedEvents()))
    for path, is_good, reasons in (
        ("/healthz", is_healthy, failings(status)),
        ("/readyz", is_ready, why_not_ready(status)),
    ):
        page = pages[path]()
        assert (page.status.value, page.text.splitlines()) == ((200, ["ok"]) if is_good else (503, reasons))


def test_every_metric_is_on_the_page_and_each_once() -> None:
    assert reference.PAGE.read_text() == reference.page()
    text = monitoring_pages(lambda: PAIR, Tally(CollectedEvents()))["/metrics"]().text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert sorted(names) == sorted({*names})
    assert sorted(names) == sorted([each.name for each in MEASURES] + [count.name for count in COUNTS])
    assert [name for name in names if f"| `{name}" not in reference.page()] == []
    assert all(name.startswith("mtad_") for name in names)


def test_a_stale_page_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["reference", "--check"])
    reference.main()
    monkeypatch.setattr(reference, "page", lambda: "other")
    with pytest.raises(SystemExit, match="stale"):
        reference.main()
