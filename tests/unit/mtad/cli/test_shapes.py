"""The JSON of a status: what a witness adds to it."""

from mtad.admin.health import problems
from mtad.cli.shapes import status_object
from mtad.pb import admin_pb2 as pb


def status(**witness: object) -> pb.StatusReply:
    return pb.StatusReply(role="active", lease_seconds=2.5, witness=pb.Witness(name="w", **witness))  # type: ignore[arg-type]


def test_a_witness_is_shown_with_the_lease() -> None:
    shown = status_object(status(state="granted", seconds=0.25))
    assert shown["witness"] == {"name": "w", "state": "granted", "seconds": 0.25, "problem": ""}
    assert shown["lease_seconds"] == 2.5
    assert shown["problems"] == []


def test_a_witness_that_does_not_answer_is_a_problem() -> None:
    assert problems(status(state="silent", problem="refused")) == ["the witness w does not answer: refused"]


def test_without_a_witness_there_is_none() -> None:
    shown = status_object(pb.StatusReply(role="active"))
    assert (shown["witness"], shown["lease_seconds"]) == (None, None)
