"""What is known of the other member: what it last said of itself, and how far it has what we have."""

from __future__ import annotations

from replicator.core.events import Authority, Hello, Settings
from replicator.core.journal import Journal
from replicator.core.values import Branch, Role, Vector
from replicator.core.versions import VERSION_MAX, VERSION_MIN, chosen

FULL_BELOW_PERMILLE = 50  # with less of its disk free the peer keeps room for endings and takes no new items


class Peer:
    """The other member. Known once a Hello came; each Hello replaces everything."""

    __slots__ = (
        "authority",
        "branch",
        "durable",
        "free_permille",
        "is_known",
        "name",
        "own_durable",
        "role",
        "store_id",
        "version",
    )

    def __init__(self, node: int, floors: Vector) -> None:
        self.is_known = False
        self.name = ""
        self.store_id = b""
        self.branch = Branch(node, 0)
        self.durable: Vector = dict(floors)
        self.own_durable = 0  # how far it has our own branch on its disk
        self.role = Role.PASSIVE
        self.authority = Authority(0, 0)
        self.free_permille = 1000
        self.version = VERSION_MIN  # that it and we speak with each other

    def replace(self, hello: Hello, own: Branch) -> None:
        """Believe a Hello, and nothing that was known before: the peer's disk may be another one now."""
        self.is_known = True
        self.name = hello.name
        self.store_id = hello.store_id
        self.branch = Branch(hello.node, hello.incarnation)
        self.durable = dict(hello.vector)
        self.own_durable = hello.vector.get(own, 0)
        self.role = hello.role
        self.authority = hello.authority
        self.free_permille = 1000
        self.version = chosen(hello.version_min, hello.version_max)

    def raise_to(self, durable: Vector, own: Branch) -> bool:
        """Take in what the peer says it has durable, within one session. Tell whether that is more than before."""
        known = self.durable
        is_more = False
        for branch, seq in durable.items():
            if seq > known.get(branch, 0):
                known[branch] = seq
                is_more = True
                if branch == own:
                    self.own_durable = seq
        return is_more

    @property
    def is_full(self) -> bool:
        """Tell whether its disk takes no new items."""
        return self.free_permille < FULL_BELOW_PERMILLE

    def ahead_of(self, journal: Journal) -> int:
        """Count the records that it had on its disk when it last said so, and we have not."""
        durable = journal.durable
        return sum(
            max(0, seq - durable.get(branch, 0)) for branch, seq in self.durable.items() if branch != journal.own
        )

    def lacks(self, journal: Journal) -> int:
        """Count the records that we have, and the peer has not on its disk."""
        return max(0, journal.seq - self.own_durable) + self.lacks_of_others(journal)

    def lacks_of_others(self, journal: Journal) -> int:
        """Count those that are not of our own branch. The peer has all of the branch that it writes itself."""
        known, own, theirs = self.durable, journal.own, self.branch
        behind = 0
        for branch, seq in journal.durable.items():
            if branch != own and branch != theirs:
                behind += max(0, seq - known.get(branch, 0))
        return behind


def objection(settings: Settings, node: int, journal: Journal, hello: Hello) -> str:
    """Return why whoever is on node's link must not be talked to: what was expected and what came. "": it may."""
    if hello.group != settings.group:
        return f"group: expected {settings.group!r}, came {hello.group!r}"
    if hello.node != node:
        return f"node: expected {node}, came {hello.node} ({hello.name!r})"
    if not chosen(hello.version_min, hello.version_max):
        came = f"{hello.version_min} to {hello.version_max}"
        return f"version: expected {VERSION_MIN} to {VERSION_MAX}, came {came}"
    return ahead_of_us(journal.own, journal.seq, hello.vector)


def ahead_of_us(own: Branch, own_seq: int, vector: Vector) -> str:
    """Return the complaint about a position of our own branch that we never wrote; "" when there is none.

    Such a peer holds records under names that we are about to give to others: it must take nothing from us.
    """
    seq = vector.get(own, 0)
    return f"position of our own branch: expected at most {own_seq}, came {seq}" if seq > own_seq else ""
