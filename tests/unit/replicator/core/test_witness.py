"""The witness: one owner per epoch, and nobody is granted what another may still hold."""

import pytest

from replicator.core.grants import Ask, Denied, Granted, Release
from replicator.core.lease import promised_for
from replicator.core.witness import NO_GRANT, NOBODY, Answered, Effect, Grant, Keep, Requested, Witness

SECOND = 1_000_000_000
LEASE = 3 * SECOND
PROMISE = promised_for(LEASE)
START = 100 * SECOND
A = Ask(0, 0xA, 1, 1, 0)
B = Ask(1, 0xB, 1, 1, 0)


class Desk:
    """A witness and its clock."""

    def __init__(self, grant: Grant = NO_GRANT, lease: int = LEASE) -> None:
        self.now = START
        self.witness = Witness(grant, lease, self.now)
        self.now += promised_for(max(lease, grant.lease))

    def effects(self, request: Ask | Release) -> list[Effect]:
        return self.witness.step(self.now, Requested(9, request))

    def ask(self, ask: Ask) -> Granted | Denied:
        last = self.effects(ask)[-1]
        assert isinstance(last, Answered)
        assert last.token == 9
        assert last.reply is not None
        return last.reply

    def why(self, ask: Ask) -> str:
        reply = self.ask(ask)
        return reply.why if isinstance(reply, Denied) else f"epoch {reply.epoch}"


def test_an_epoch_is_durable_before_it_is_answered() -> None:
    desk = Desk()
    assert desk.effects(A) == [
        Keep(Grant(1, 0, 0xA, 1, LEASE)),
        Answered(9, Granted(0xA, 1, 1, 1, LEASE)),
    ]
    assert desk.witness.holder(desk.now) == 0


def test_a_renewal_keeps_the_epoch_and_writes_nothing() -> None:
    desk = Desk()
    desk.ask(A)
    desk.now += SECOND
    assert desk.effects(A._replace(ticket=2, epoch=1)) == [Answered(9, Granted(0xA, 1, 2, 1, LEASE))]


def test_nobody_else_is_granted_it_while_it_is_promised() -> None:
    desk = Desk()
    desk.ask(A)
    desk.now += PROMISE - 1
    assert desk.why(B) == "held"
    desk.now += 1
    assert desk.why(B) == "epoch 2"
    assert desk.why(A) == "held"
    assert desk.ask(A) == Denied(0xA, 1, 1, 2, 1, "held")


def test_a_renewal_prolongs_the_promise() -> None:
    desk = Desk()
    desk.ask(A)
    desk.now += LEASE - 1
    desk.ask(A._replace(ticket=2, epoch=1))
    desk.now += PROMISE - 1
    assert desk.why(B) == "held"


def test_the_holder_that_nobody_followed_renews_its_epoch_late() -> None:
    desk = Desk()
    desk.ask(A)
    desk.now += 10 * LEASE
    assert desk.why(A._replace(epoch=1)) == "epoch 1"


def test_a_new_epoch_is_above_all_that_is_known() -> None:
    desk = Desk()
    assert desk.why(A._replace(epoch=41)) == "epoch 42"
    assert desk.why(A._replace(epoch=50)) == "epoch 51"  # it knows of what we do not: our record is an old one


def test_after_a_start_all_but_the_recorded_holder_wait() -> None:
    desk = Desk(Grant(7, 0, 0xA, 1, LEASE))
    desk.now -= 1
    assert desk.why(B) == "just started"
    assert desk.why(A._replace(incarnation=0xAA)) == "just started"
    assert desk.why(A._replace(epoch=7)) == "epoch 7"
    desk.now += 1
    assert desk.why(B) == "held"


def test_a_start_without_a_record_waits_too() -> None:
    desk = Desk()
    desk.now -= 1
    assert desk.why(A) == "just started"
    desk.now += 1
    assert desk.why(A) == "epoch 1"


def test_the_wait_covers_a_longer_lease_of_the_life_before() -> None:
    desk = Desk(Grant(7, 0, 0xA, 1, 10 * SECOND))
    desk.now = START + promised_for(10 * SECOND) - 1
    assert desk.why(B) == "just started"


def test_a_longer_lease_is_recorded_when_it_is_first_granted() -> None:
    desk = Desk(Grant(7, 0, 0xA, 1, SECOND))
    assert desk.effects(A._replace(epoch=7))[0] == Keep(Grant(7, 0, 0xA, 1, LEASE))
    assert len(desk.effects(A._replace(epoch=7))) == 1


def test_a_restarted_holder_waits_for_its_own_earlier_life() -> None:
    desk = Desk()
    desk.ask(A)
    assert desk.why(A._replace(incarnation=0xAA)) == "held"


def test_a_later_generation_of_the_same_life_gave_the_earlier_up() -> None:
    desk = Desk()
    desk.ask(A)
    assert desk.why(A._replace(generation=2, epoch=1)) == "epoch 2"
    assert desk.why(A._replace(epoch=1)) == "given up"


def test_a_release_frees_at_once() -> None:
    desk = Desk()
    desk.ask(A)
    assert desk.effects(Release(0, 0xA, 1, NOBODY)) == [Answered(9, None)]
    assert desk.witness.holder(desk.now) == NOBODY
    assert desk.why(A._replace(epoch=1)) == "given up"  # a request that was under way
    assert desk.why(B) == "epoch 2"


@pytest.mark.parametrize(
    "release", [Release(0, 0xA, 1, NOBODY), Release(0, 0xAA, 2, NOBODY), Release(1, 0xA, 2, NOBODY)]
)
def test_a_release_of_what_is_not_held_frees_nothing(release: Release) -> None:
    desk = Desk()
    desk.ask(A._replace(generation=2))
    desk.effects(release)
    assert desk.why(B) == "held"


def test_what_is_released_to_an_heir_is_kept_for_it() -> None:
    desk = Desk()
    desk.ask(A)
    desk.effects(Release(0, 0xA, 1, 1))
    assert desk.why(A._replace(generation=2, epoch=1)) == "kept for another"
    desk.now += PROMISE - 1
    assert desk.why(A._replace(generation=2, epoch=1)) == "kept for another"
    desk.now += 1
    assert desk.why(A._replace(generation=2, epoch=1)) == "epoch 2"


def test_the_heir_takes_it_at_once() -> None:
    desk = Desk()
    desk.ask(A)
    desk.effects(Release(0, 0xA, 1, 1))
    assert desk.why(B) == "epoch 2"
    assert desk.why(A._replace(generation=2, epoch=1)) == "held"


def test_a_release_of_the_recorded_holder_ends_the_wait_after_a_start() -> None:
    desk = Desk(Grant(7, 0, 0xA, 1, LEASE))
    desk.now -= SECOND
    desk.effects(Release(0, 0xA, 1, NOBODY))
    assert desk.why(B) == "epoch 8"
