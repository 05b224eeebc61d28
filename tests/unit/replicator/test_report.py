"""What is reported again and again is told once a minute."""

from __future__ import annotations

from replicator.report import REMEMBERED_MAX, REPEAT_SECONDS, Sparing
from tests.fakes.collected_report import CollectedReport


class Desk:
    """A sparing report, what came through it, and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.came = CollectedReport()
        self.report = Sparing(self.came, lambda: self.now)

    def refuse(self, session: int, why: str) -> None:
        self.report.emit("replica.refused", level="error", session=session, why=why)

    @property
    def told(self) -> list[object]:
        return [fields["why"] for fields in self.came.named("replica.refused")]


def test_a_refusal_that_comes_again_is_told_once_a_minute_whatever_its_session() -> None:
    desk = Desk()
    desk.refuse(1, "group")
    desk.now = REPEAT_SECONDS - 1
    desk.refuse(2, "group")
    assert desk.told == ["group"]
    desk.now = REPEAT_SECONDS
    desk.refuse(3, "group")
    assert desk.told == ["group", "group"]


def test_another_reason_is_told_at_once_and_so_is_the_same_after_a_link_that_stood() -> None:
    desk = Desk()
    desk.refuse(1, "group")
    desk.refuse(2, "version")
    assert desk.told == ["group", "version"]
    desk.report.emit("replica.link_up", session=3)
    desk.refuse(4, "group")
    assert desk.told == ["group", "version", "group"]


def test_what_is_not_said_at_each_try_is_never_held_back() -> None:
    desk = Desk()
    for _ in range(3):
        desk.report.emit("replica.role", role="active")
    assert len(desk.came.named("replica.role")) == 3


def test_more_reasons_than_are_remembered_are_told_and_forgotten() -> None:
    desk = Desk()
    for number in range(REMEMBERED_MAX + 1):
        desk.refuse(1, f"reason {number}")
    desk.refuse(1, "reason 0")
    assert len(desk.told) == REMEMBERED_MAX + 2
