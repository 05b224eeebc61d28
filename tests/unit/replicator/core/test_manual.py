"""Where the operator alone says who owns."""

from replicator.core.values import Mode, Role
from tests.fakes.pair import Pair


def test_nobody_rises_by_itself_and_an_order_is_obeyed() -> None:
    pair = Pair(settings={"authority": Mode.MANUAL})
    pair.link()
    pair.run(10_000)
    assert pair.a.roles == pair.b.roles == []
    token = pair.a.command("promote")
    pair.run(30)
    assert pair.a.told[token].is_done
    assert pair.a.member.role is Role.ACTIVE
    pair.a.crash()
    pair.run(20_000)
    assert pair.b.roles == []


def test_a_peer_that_is_not_heard_may_be_active() -> None:
    pair = Pair(settings={"authority": Mode.MANUAL})
    token = pair.b.command("promote")
    assert pair.b.told[token][1:3] == (False, "node 0 is not heard, and may be active: force, if it is not")
    pair.b.command("promote", force=True)
    pair.run(30)
    assert pair.b.member.role is Role.ACTIVE


def test_a_switchover_works_as_ever() -> None:
    pair = Pair(settings={"authority": Mode.MANUAL})
    pair.link()
    pair.a.command("promote")
    pair.run(300)
    pair.a.command("switchover")
    pair.run(300)
    assert (pair.a.member.role, pair.b.member.role) == (Role.PASSIVE, Role.ACTIVE)
