"""What is known of the other member: what it last said of itself, and how far it has what we have."""

from __future__ import annotations

from replicator.core.events import Settings
from replicator.core.journal import Journal
from replicator.core.messages import Hello
from replicator.core.values import MILLISECOND, Authority, Branch, Mode, Role, Vector
from replicator.core.vectors import beyond
from replicator.core.versions import VERSION_MAX, VERSION_MIN, chosen

EPOCH_LEAP_MAX = 1_000_000  # takeovers that can have passed unheard; what is beyond would leave no room above it
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
        "session",
        "store_id",
        "version",
    )

    def __init__(self, node: int, floors: Vector, store_id: bytes = b"") -> None:
        self.is_known = False
        self.name = ""
        self.store_id = store_id  # b"": none was ever told
        self.session = 0  # of its own, as its last Hello said
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
        self.session = hello.session
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

    def has_said(self, hello: Hello) -> str:
        """Return the complaint about a Hello that was said before, on another link; "" when it is new."""
        is_same_life = self.is_known and hello.incarnation == self.branch.incarnation
        if not is_same_life or not hello.session or hello.session > self.session:
            return ""
        return f"session: expected one above {self.session}, came {hello.session}: a stream that is replayed"

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

    def lacks_of_uncovered(self, journal: Journal) -> int:
        """Count, at most, what it lacks of what a broken-off snapshot brought here: no position of ours covers that."""
        known, durable = self.durable, journal.durable
        uncovered = journal.uncovered().items()
        return sum(max(0, seq - max(known.get(branch, 0), durable.get(branch, 0))) for branch, seq in uncovered)

    def lacks_of_others(self, journal: Journal) -> int:
        """Count those that are not of our own branch. The peer has all of the branch that it writes itself."""
        known, own, theirs = self.durable, journal.own, self.branch
        behind = 0
        for branch, seq in journal.durable.items():
            if branch != own and branch != theirs:
                behind += max(0, seq - known.get(branch, 0))
        return behind

    def unconfirmed(self, vector: Vector) -> Vector:
        """Return what of `vector` it has not said to be on its disk. It has all of the branch that it writes."""
        return {branch: seq for branch, seq in beyond(vector, self.durable).items() if branch != self.branch}


def objection(settings: Settings, node: int, journal: Journal, seen: Authority, hello: Hello) -> str:
    """Return why whoever is on node's link must not be talked to: what was expected and what came. "": it may.

    seen   the highest authority that we know of
    """
    if hello.group != settings.group:
        return f"group: expected {settings.group!r}, came {hello.group!r}"
    if hello.node != node:
        return f"node: expected {node}, came {hello.node} ({hello.name!r})"
    if not chosen(hello.version_min, hello.version_max):
        came = f"{hello.version_min} to {hello.version_max}"
        return f"version: expected {VERSION_MIN} to {VERSION_MAX}, came {came}"
    rules = _other_rules(settings, hello) if node == settings.peer_node else ""
    return rules or too_far(seen, hello.authority) or ahead_of_us(journal.own, journal.seq, hello.vector)


def _other_rules(settings: Settings, hello: Hello) -> str:
    """Return the complaint about a peer that owns by another's word than we do, or for longer than we stand back."""
    if hello.mode and hello.mode != settings.authority:
        return f"authority: expected {settings.authority.value!r}, came {hello.mode!r}"
    if settings.authority is Mode.WITNESS and hello.lease > settings.lease:
        return f"lease: expected at most {settings.lease // MILLISECOND} ms, came {hello.lease // MILLISECOND} ms"
    return ""


def too_far(seen: Authority, authority: Authority) -> str:
    """Return the complaint about an epoch that no honest member can have reached; "" when there is none."""
    if authority.epoch <= seen.epoch + EPOCH_LEAP_MAX:
        return ""
    return f"epoch: expected at most {seen.epoch + EPOCH_LEAP_MAX}, came {authority.epoch}"


def ahead_of_us(own: Branch, own_seq: int, vector: Vector) -> str:
    """Return the complaint about a position of our own branch that we never wrote; "" when there is none.

    Such a peer holds records under names that we are about to give to others: it must take nothing from us.
    """
    seq = vector.get(own, 0)
    return f"position of our own branch: expected at most {own_seq}, came {seq}" if seq > own_seq else ""
