"""The laboratory's files: keys, certificates, zones, and for each node its mtad.toml and its policy.

Everything lies in one folder that is removed at the end. Nothing here starts a process or opens a port.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from mtad.lab.dns import Zone, zone_from_text
from mtad.startup.provision import (
    dkim_record,
    make_ca,
    make_dkim_key,
    make_member_certificate,
    make_private_folder,
    make_server_certificate,
    write_private,
)
from mtad.users.file import User, empty_file

HOST = "127.0.0.1"
PAIR_DOMAIN = "lab.test"  # the pair's own domain: its mail goes out from here, signed
REMOTE_DOMAIN = "example.test"  # somebody else's: its MX is the SMTP sink
LOCAL_DOMAIN = "local.test"  # the pair is its MX and hands its mail on by LMTP
SELECTOR = "lab"
USER = f"you@{PAIR_DOMAIN}"
PASSWORD = "laboratory"  # noqa: S105 - of a user that lives as long as the laboratory
_TXT_STRING_OCTETS_MAX = 255  # RFC 1035 §3.3.14
_SOA = "$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 5\n@ IN NS ns\nns IN A 127.0.0.1\n"

DEFAULT_POLICY = """\
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue"];

stage "connect" {
    if ip :remote "127.0.0.0/8" { accept :relay; }
}

stage "deliver" {
    # Keep here what a next hop refuses for now, and be impatient: this is a laboratory.
    queue :transient;
    retry :intervals ["1", "1", "2"];

    if envelope :domain "to" ["local.test", "lab.test"] {
        route :host "127.0.0.1" :nomx :port LMTP_PORT :tls "none" "lmtp";
    } else {
        # The MX hosts of the domain, as everywhere; only the port is the laboratory's.
        route :port SMTP_PORT "smtp";
    }
}
"""


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses of everything: loopback, unless the nodes are in network namespaces of their own."""

    services: str = HOST  # of the DNS server and the sinks
    nodes: tuple[str, str] = (HOST, HOST)  # where clients reach the first and the second node
    links: tuple[str, str] = (HOST, HOST)  # where each listens for the other


@dataclass(frozen=True, slots=True)
class Ports:
    """On which ports everything listens."""

    dns: int
    smtp_sink: int
    lmtp_sink: int
    smtp: tuple[int, int]  # of the first and the second node
    submission: tuple[int, int]  # where users come in, with STARTTLS
    submissions: tuple[int, int]  # the same, TLS at once
    monitoring: tuple[int, int]
    replication: tuple[int, int]
    peer: tuple[int, int]  # where the first and the second node reach each other: directly or over a wire


@dataclass(frozen=True, slots=True)
class NodeShape:
    """In what a laboratory's nodes differ from the usual ones.

    settings        further settings of [replication], then further tables of mtad.toml
    own             the same of each node alone, before those
    wrapper         a command that runs the node's command; `{folder}` and `{name}` in it become the node's
    claim_seconds   of replication; less than users have, so that nobody waits long for what was in doubt
    """

    workers: int = 0
    settings: str = ""
    own: tuple[str, str] = ("", "")
    wrapper: tuple[str, ...] = ()
    claim_seconds: float = 5.0
    places: Places = Places()


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """One node's place in the laboratory."""

    name: str
    folder: Path
    smtp_port: int
    submission_port: int
    submissions_port: int
    monitoring_port: int
    wrapper: tuple[str, ...] = ()
    smtp_host: str = HOST

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it."""
        wrapper = tuple(
            word.replace("{folder}", str(self.folder)).replace("{name}", self.name) for word in self.wrapper
        )
        return (*wrapper, sys.executable, "-m", "mtad.main", "run", "--config", str(self.config))

    @property
    def config(self) -> Path:
        """Its mtad.toml."""
        return self.folder / "mtad.toml"

    @property
    def admin_socket(self) -> Path:
        """Where mtactl finds it."""
        return self.folder / "run" / "admin.sock"

    @property
    def log(self) -> Path:
        """What it writes while it runs."""
        return self.folder / "log"


USUAL_SHAPE = NodeShape()


def make_keys(folder: Path) -> str:
    """Make the DKIM key, the pair's CA and all certificates; return the text of the DKIM record.

    Errors: OSError.
    """
    make_private_folder(folder)
    make_dkim_key(folder / "dkim.key")
    ca = make_ca(folder)
    for name in ("mx1", "mx2"):
        make_member_certificate(ca, name, folder)
        make_server_certificate(f"{name}.{PAIR_DOMAIN}", folder)
    return dkim_record(folder / "dkim.key")


def zones(dkim_text: str, services: str = HOST) -> list[Zone]:
    """Return the zones that the laboratory's DNS answers for; the sinks are at the address of the services."""
    parts = [dkim_text[i : i + _TXT_STRING_OCTETS_MAX] for i in range(0, len(dkim_text), _TXT_STRING_OCTETS_MAX)]
    dkim = " ".join(f'"{part}"' for part in parts)
    pair = (
        "@ IN MX 10 mx1\n@ IN MX 20 mx2\nmx1 IN A 127.0.0.1\nmx2 IN A 127.0.0.1\n"
        '@ IN TXT "v=spf1 ip4:127.0.0.0/8 -all"\n_dmarc IN TXT "v=DMARC1; p=reject"\n'
        f"{SELECTOR}._domainkey IN TXT {dkim}\n"
    )
    remote = f"@ IN MX 10 sink\nsink IN A {services}\n"
    local = f"@ IN MX 10 mx1.{PAIR_DOMAIN}.\n@ IN MX 20 mx2.{PAIR_DOMAIN}.\n"
    reverse = f"1 IN PTR mx1.{PAIR_DOMAIN}.\n"
    texts = {PAIR_DOMAIN: pair, REMOTE_DOMAIN: remote, LOCAL_DOMAIN: local, "0.0.127.in-addr.arpa": reverse}
    return [zone_from_text(f"{origin}.", _SOA + text) for origin, text in texts.items()]


def lay_nodes(
    folder: Path, ports: Ports, policy: str = DEFAULT_POLICY, shape: NodeShape = USUAL_SHAPE
) -> tuple[NodeFiles, NodeFiles]:
    """Write both nodes' configuration; `make_keys(folder / "keys")` comes before. Errors: OSError.

    policy   Sieve; LMTP_PORT and SMTP_PORT in it become the sinks' ports
    """
    keys = folder / "keys"
    text = policy.replace("LMTP_PORT", str(ports.lmtp_sink)).replace("SMTP_PORT", str(ports.smtp_sink))
    user = User.with_password(USER, PASSWORD)
    users = replace(empty_file(), users={user.name: user})
    laid = []
    for index, peer in ((0, 1), (1, 0)):
        name = f"mx{index + 1}"
        node = NodeFiles(
            name,
            folder / name,
            smtp_port=ports.smtp[index],
            submission_port=ports.submission[index],
            submissions_port=ports.submissions[index],
            monitoring_port=ports.monitoring[index],
            wrapper=shape.wrapper,
            smtp_host=shape.places.nodes[index],
        )
        make_private_folder(node.folder / "queue")
        make_private_folder(node.admin_socket.parent)
        write_private(node.folder / "policy.sieve", text.encode())
        write_private(node.folder / "users", str(users).encode())
        write_private(node.config, _toml((index, peer), ports, keys, shape).encode())
        laid.append(node)
    return laid[0], laid[1]


def _toml(nodes: tuple[int, int], ports: Ports, keys: Path, shape: NodeShape) -> str:
    """Return the mtad.toml of the first of two nodes; paths are relative to it where they are its own."""
    index, peer = nodes
    name, places, host = f"mx{index + 1}", shape.places, shape.places.nodes[index]
    users_port, tls_port = ports.submission[index], ports.submissions[index]
    return f"""\
[node]
name = "{name}"
id = {index + 1}
hostname = "{name}.{PAIR_DOMAIN}"
domains = ["{PAIR_DOMAIN}", "{LOCAL_DOMAIN}"]
data_dir = "queue"
run_dir = "run"
workers = {shape.workers}

[smtp]
listen = ["{host}:{ports.smtp[index]}", "submission://{host}:{users_port}", "submissions://{host}:{tls_port}"]
users = "users"
tls_cert = "{keys}/{name}.{PAIR_DOMAIN}.pem"
tls_key = "{keys}/{name}.{PAIR_DOMAIN}.key"
sessions_max = 1000

[policy]
file = "policy.sieve"

[[dkim.keys]]
domain = "{PAIR_DOMAIN}"
selector = "{SELECTOR}"
file = "{keys}/dkim.key"

[dns]
servers = ["{places.services}:{ports.dns}"]

[queue]
map_octets_max = 1_073_741_824

[monitoring]
listen = ["{host}:{ports.monitoring[index]}"]

[replication]
group = "laboratory"
listen = "{places.links[index]}:{ports.replication[index]}"
ca = "{keys}/ca.pem"
cert = "{keys}/{name}.pem"
key = "{keys}/{name}.key"
peer = {{ name = "mx{peer + 1}", id = {peer + 1}, address = "{places.links[peer]}:{ports.peer[index]}" }}
claim_seconds = {shape.claim_seconds}
{shape.own[index]}{shape.settings}"""
