"""Every setting of mtad.toml: its type, its default, what it allows and what it is for.

The reader (mtad.config.read) and the reference page (mtad.config.reference) are driven by these types alone.
A setting without a default must be given. Units are the last word of the name; relative paths start at the folder of
mtad.toml. What happens to mail is not here: that is the policy's, in Sieve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from mtad.config.forms import (
    CLIENT_LIMIT,
    DOMAIN,
    ENDPOINT,
    HOSTNAME,
    LISTENER,
    MAP,
    NAME,
    NETWORK,
    RESOLVER,
    SELECTOR,
    SMTP_LISTENER,
    Address,
    Form,
    Listener,
    MapSource,
    Purpose,
)

SETTINGS_MAX = 66


@dataclass(frozen=True, slots=True)
class About:
    """What a setting is for, and its limits: of a number its range, of a list or map its length, of a text its form."""

    text: str
    least: float = float("-inf")
    most: float = float("inf")
    form: Form | None = None
    later: tuple[str, ...] = ()  # choices that a later version will know


@dataclass(frozen=True, slots=True)
class Node:
    """Who this node is and where it keeps its files."""

    name: Annotated[str, About("Name of this node in its pair, in its replication certificate and in logs.", form=NAME)]
    id: Annotated[int, About("Number of this node; its queue ids carry it. Different on every node.", 1, 31)]
    hostname: Annotated[
        str, About("Name in greetings, EHLO and Received; its A and AAAA should lead here.", form=HOSTNAME)
    ]
    domains: Annotated[
        tuple[str, ...],
        About("Domains that this server is MX for; the policy sees them as local.", 1, 10_000, form=DOMAIN),
    ]
    data_dir: Annotated[Path, About("Folder of the queue. A real disk: its fsync is what 250 means.")] = Path(
        "/var/lib/mtad"
    )
    run_dir: Annotated[Path, About("Folder of the Unix sockets between the processes and for mtactl.")] = Path(
        "/run/mtad"
    )
    workers: Annotated[int, About("SMTP worker processes; 0 runs everything in one process.", 0, 64)] = 2

    @property
    def admin_socket(self) -> Path:
        """Where mtactl finds the daemon."""
        return self.run_dir / "admin.sock"


@dataclass(frozen=True, slots=True)
class Smtp:
    """The SMTP listeners and what one client may use."""

    listen: Annotated[
        tuple[Listener, ...],
        About("Where SMTP clients connect; users need smtp.users and tls_cert.", 1, 64, form=SMTP_LISTENER),
    ]
    tls_cert: Annotated[
        Path | None, About("Certificate chain (PEM). STARTTLS is offered when it and tls_key are given.")
    ] = None
    tls_key: Annotated[Path | None, About("Private key of tls_cert (PEM).")] = None
    users: Annotated[
        Path | None, About("Who may submit mail; `mtactl user` writes the file. Other users must not read it.")
    ] = None
    sessions_max: Annotated[
        int, About("Sessions at a time, over all workers; more get 421. Each takes two files.", 1, 100_000)
    ] = 12_000
    client_limits: Annotated[
        tuple[str, ...],
        About(
            "What the clients of one network (an IPv4 address or an IPv6 /64) may do, over all workers; what is not "
            "named has no limit.",
            0,
            5,
            form=CLIENT_LIMIT,
        ),
    ] = (
        "100 sessions",
        "300 connections/minute",
        "1200 messages/minute",
        "6000 recipients/minute",
        "120 errors/minute",
    )
    exempt_networks: Annotated[
        tuple[str, ...], About("Networks that client_limits are not for.", 0, 1_000, form=NETWORK)
    ] = ("127.0.0.0/8", "::1/128")
    size_octets_max: Annotated[int, About("Largest message; announced by SIZE.", 65_536, 2_000_000_000)] = 50_000_000
    binarymime: Annotated[
        bool, About("Whether BINARYMIME is announced; a next hop that lacks it makes such mail fail with 5.6.3.")
    ] = False
    recipients_max: Annotated[int, About("Recipients of one transaction; RFC 5321 asks for 100.", 100, 100_000)] = 1_000
    memory_octets_max: Annotated[
        int,
        About(
            "Content held in memory over all workers; beyond it content goes to files in node.data_dir, up to four "
            "times as much, and beyond that DATA gets 452.",
            1_000_000,
            1_000_000_000_000,
        ),
    ] = 500_000_000

    @property
    def takes_users(self) -> bool:
        """Whether users come in somewhere."""
        return any(each.purpose in (Purpose.SUBMISSION, Purpose.SUBMISSIONS) for each in self.listen)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Attempts at next hops, while the client waits and later."""

    deadline_seconds: Annotated[
        float, About("Longest wait for next hops before the client hears 250 and the rest is queued.", 0, 600)
    ] = 20.0
    connections_per_hop_max: Annotated[
        int, About("Connections at a time to one next hop, over all workers.", 1, 1_000)
    ] = 20
    redeliveries_max: Annotated[
        int,
        About(
            "Attempts from the queue at a time; those at slow next hops count no longer, up to three times as many.",
            1,
            10_000,
        ),
    ] = 100
    credentials: Annotated[
        Mapping[str, Path],
        About(
            "Private files with a user and a password, by the names that routes log in with: "
            '`relay = "relay.toml"` is `route :auth "relay"`.',
            0,
            100,
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """Where the Sieve policy is, and what it looks things up in."""

    file: Annotated[
        Path | None, About("Sieve script that decides what happens to mail; default: the built-in one.")
    ] = None
    maps: Annotated[
        Mapping[str, MapSource],
        About('Maps by the names that the policy knows them by: `users = "file:users"` is "map:users".', 0, 1_000, MAP),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Programs:
    """Programs that the policy may run (`execute`, `filter`). Without this table it may run none."""

    folder: Annotated[Path, About("Where they are; nobody but the owner may write to it, nor to one of them.")]
    timeout_seconds: Annotated[
        float, About("Longest run; then it is killed, with all that it has started.", 0.1, 300)
    ] = 10.0
    at_once_max: Annotated[int, About("Programs that run at a time, over all workers; more wait.", 1, 1_000)] = 10


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key that signs what leaves."""

    domain: Annotated[str, About("Signing domain (d=).", form=DOMAIN)]
    selector: Annotated[str, About("Selector (s=); the public key is at SELECTOR._domainkey.DOMAIN.", form=SELECTOR)]
    file: Annotated[Path, About("Private key (PEM), RSA or Ed25519; other users must not read it.")]


@dataclass(frozen=True, slots=True)
class Dkim:
    """DKIM keys. Without at least one the program does not start."""

    keys: Annotated[
        tuple[DkimKey, ...], About("The first key signs for every domain that has no key of its own.", 0, 1_000)
    ] = ()


@dataclass(frozen=True, slots=True)
class Dns:
    """The resolvers that are asked."""

    servers: Annotated[
        tuple[Address, ...],
        About("Resolvers, asked in this order; default: those of resolv.conf.", 0, 8, form=RESOLVER),
    ] = ()
    timeout_seconds: Annotated[float, About("Wait for one answer over all servers and repetitions.", 0.1, 60)] = 5.0


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue's room on the disk."""

    map_octets_max: Annotated[
        int, About("Largest size of the queue's file; it grows as needed.", 16_777_216, 17_592_186_044_416)
    ] = 17_179_869_184
    full_percent: Annotated[int, About("Fill of the queue's file or disk from which new mail gets 452.", 10, 95)] = 85


@dataclass(frozen=True, slots=True)
class Peer:
    """The other node of the pair."""

    name: Annotated[str, About("Its node.name; its certificate must carry it.", form=NAME)]
    id: Annotated[int, About("Its node.id.", 1, 31)]
    address: Annotated[Address, About("Where its replication.listen is reached.", form=ENDPOINT)]


@dataclass(frozen=True, slots=True)
class Site:
    """A node far away that follows this one: it gets all mail that waits, and delivers when an operator says so."""

    name: Annotated[str, About("Its node.name; its certificate must carry it.", form=NAME)]
    id: Annotated[int, About("Its node.id.", 1, 31)]
    address: Annotated[Address, About("Where its replication.listen is reached.", form=ENDPOINT)]
    compression: Annotated[bool, About("Whether what goes there is compressed (gzip).")] = True
    octets_per_second: Annotated[
        int, About("Most that goes there, before compression; 0: no limit; else at least 65536.", 0, 10_000_000_000)
    ] = 0
    delay_seconds: Annotated[
        float, About("Age from which a change goes there; mail that is done sooner never does.", 0, 86_400)
    ] = 0.0


@dataclass(frozen=True, slots=True)
class Followed:
    """A member of a pair that this node, a site, follows."""

    name: Annotated[str, About("Its node.name; its certificate must carry it.", form=NAME)]
    id: Annotated[int, About("Its node.id.", 1, 31)]


@dataclass(frozen=True, slots=True)
class Witness:
    """The witness, a third vote on which node delivers (`mtad witness`); for authority = "witness"."""

    name: Annotated[str, About("Its name; its certificate must carry it.", form=NAME)]
    address: Annotated[Address, About("Where its --listen is reached.", form=ENDPOINT)]
    ask_after_seconds: Annotated[
        float, About("Silence of the active after which the passive asks the witness.", 0.2, 3_600)
    ] = 1.0


@dataclass(frozen=True, slots=True)
class OnRole:
    """What is run when the node's role changes, as `COMMAND OLD NEW EPOCH NODE`: to move an address, to tell DNS."""

    command: Annotated[Path, About("The executable; it is not run by a shell.")]
    timeout_seconds: Annotated[float, About("Longest run; then it is killed, with all that it started.", 0.1, 30)] = (
        10.0
    )


@dataclass(frozen=True, slots=True)
class Replication:
    """The pair, or the pair that a site follows. Without this table the node keeps one copy and stands alone."""

    group: Annotated[
        str, About("Name of the pair, the same on all its nodes; a stranger's node is refused by it.", form=NAME)
    ]
    listen: Annotated[Address, About("Where the peer connects, or at a site the members.", form=LISTENER)]
    ca: Annotated[Path, About("Certificate of the pair's private CA (PEM).")]
    cert: Annotated[Path, About("Certificate of this node (PEM), for its node.name, signed by ca.")]
    key: Annotated[Path, About("Private key of cert (PEM); other users must not read it.")]
    peer: Annotated[Peer | None, About("The other node.")] = None
    sites: Annotated[tuple[Site, ...], About("Nodes far away that follow; the same on both nodes.", 0, 8)] = ()
    members: Annotated[
        tuple[Followed, ...], About("At a site, in place of a peer: the nodes of the pair that it follows.", 0, 2)
    ] = ()
    authority: Annotated[
        Literal["pair", "witness", "manual"],
        About(
            "Who says which node delivers: pair, silence of the other, so that a cut link may deliver a message twice; "
            "witness, leases, so that two never deliver at once; manual, the operator."
        ),
    ] = "pair"
    witness: Annotated[Witness | None, About("The witness; needed for authority = witness.")] = None
    lease_seconds: Annotated[
        float,
        About("With a witness, how long its word lets a node deliver; the same on both nodes and the witness.", 1, 60),
    ] = 3.0
    level: Annotated[
        Literal["remote-durable", "remote-received", "local"],
        About(
            "What 250 to queued mail waits for while the peer is there: both disks; this disk and the peer's memory; "
            "this disk alone.",
            later=("object",),
        ),
    ] = "remote-durable"
    on_timeout: Annotated[
        Literal["accept", "reject"],
        About(
            "What a client hears when the peer does not confirm in time: accept answers 250 with one copy, reject 451. "
            "With level = local nobody waits.",
            later=("object",),
        ),
    ] = "accept"
    promote_after_seconds: Annotated[
        float, About("Silence of the active after which the passive takes the queue over.", 0.5, 3_600)
    ] = 3.0
    ack_within_seconds: Annotated[float, About("Wait for the peer's confirmation of an accept.", 0.05, 60)] = 2.0
    claim_seconds: Annotated[
        float,
        About(
            "How long a node that takes the queue over leaves alone what the other may just have delivered; 0 delivers "
            "that again at once.",
            0,
            600,
        ),
    ] = 60.0
    beat_milliseconds: Annotated[int, About("Interval of heartbeats.", 20, 10_000)] = 250
    on_role: Annotated[OnRole | None, About("What is run at each change of role.")] = None


@dataclass(frozen=True, slots=True)
class Log:
    """How events are written to standard error, one line each."""

    format: Annotated[Literal["logfmt", "json"], About("Style of a line.")] = "logfmt"
    level: Annotated[Literal["debug", "info"], About("Least level that is written.")] = "info"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Where /metrics (Prometheus), /healthz and /readyz are answered. Without this table they are not."""

    listen: Annotated[
        tuple[Address, ...],
        About("Where watchers connect; nobody is asked who they are, so let them alone reach it.", 1, 8, LISTENER),
    ] = (Address("127.0.0.1", 7251),)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of mtad.toml; a table that is absent has its defaults."""

    node: Node
    smtp: Smtp
    delivery: Delivery = field(default_factory=Delivery)
    policy: Policy = field(default_factory=Policy)
    programs: Programs | None = None
    dkim: Dkim = field(default_factory=Dkim)
    dns: Dns = field(default_factory=Dns)
    queue: Queue = field(default_factory=Queue)
    replication: Replication | None = None
    log: Log = field(default_factory=Log)
    monitoring: Monitoring | None = None
