"""Writes all that a new node needs to run: mtad.toml, policy, keys, certificates; and the same for its peer.

A pair shares the DKIM key, the policy and the CA. The peer's files lie in a folder of their own, to be moved to its
machine. Nothing that exists is overwritten, and where not all can be written nothing is left.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mtad.admission.policy import DEFAULT_POLICY
from mtad.auth.dkim import record_strings
from mtad.config.forms import DOMAIN, ENDPOINT, HOSTNAME, NAME, SMTP_LISTENER, Address, Form, Unfit, Value
from mtad.config.show import toml_value
from mtad.startup.provision import (
    dkim_record,
    make_ca,
    make_dkim_key,
    make_member_certificate,
    make_private_folder,
    make_server_certificate,
    write_private,
)

REPLICATION_PORT = 7250
WITNESS_PORT = 7252
GROUP = "mail"
EVERYWHERE = ("0.0.0.0:25", "[::]:25")


@dataclass(frozen=True, slots=True)
class Member:
    """One node of the pair, the only one, or a site that follows the pair."""

    name: str
    id: int
    hostname: str
    replication: Address  # where its peer reaches it


@dataclass(frozen=True, slots=True)
class Voter:
    """The witness of the pair."""

    name: str
    address: Address


@dataclass(frozen=True, slots=True)
class NewNode:
    """What `mtad init` was told. `listen` holds texts as they stand in mtad.toml."""

    folder: Path
    member: Member
    peer: Member | None
    domains: tuple[str, ...]
    selector: str
    listen: tuple[str, ...]
    witness: Voter | None = None
    site: Member | None = None

    @property
    def site_folder(self) -> Path | None:
        """Where the site's files are written."""
        return self.folder / f"for-{self.site.name}" if self.site is not None else None

    @property
    def witness_folder(self) -> Path | None:
        """Where the witness's files are written."""
        return self.folder / f"for-{self.witness.name}" if self.witness is not None else None

    @property
    def peer_folder(self) -> Path | None:
        """Where the peer's files are written."""
        return self.folder / f"for-{self.peer.name}" if self.peer is not None else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the operator wrote, not yet read."""

    hostname: str
    domains: Sequence[str]
    peer: str = ""  # NAME=HOST:PORT
    listen: Sequence[str] = EVERYWHERE
    address: str = ""  # HOST:PORT where the peer reaches this node
    witness: str = ""  # NAME=HOST:PORT
    site: str = ""  # NAME=HOST:PORT


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Everything that is wrong with what the operator wrote; never empty."""

    errors: tuple[str, ...]


def _reached(default_port: int) -> Form:
    """Return the form of an endpoint whose port may be left out."""

    def read(text: str) -> Value | Unfit:
        taken = ENDPOINT.read(text)
        with_port = ENDPOINT.read(f"{text}:{default_port}") if isinstance(taken, Unfit) else taken
        return taken if isinstance(with_port, Unfit) else with_port

    allowed = f'a host name or IP address, with a port if it is not {default_port}, such as "192.0.2.2" or "[::1]:7300"'
    return Form(allowed, read)


_MEMBER = _reached(REPLICATION_PORT)
_WITNESS_REACHED = _reached(WITNESS_PORT)


class _Reading:
    """Reads what the operator wrote, and gathers everything that is wrong with it."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def take(self, option: str, form: Form, text: str) -> Any:
        """Return what the text means."""
        taken = form.read(text)
        if isinstance(taken, Unfit):
            self.errors.append(f"{option} {text!r} {taken.why}; allowed: {form.allowed}")
        return taken

    def other(self, option: str, form: Form, text: str, example: str) -> tuple[str, Any]:
        """Return the name of another machine, and where it is reached; no name where none is given, or is wrong."""
        name, equals, address = text.partition("=")
        if not equals:
            if text:
                self.errors.append(f"{option} {text!r} has no address; allowed: NAME=HOST:PORT, such as {example}")
            return "", None
        self.take(option, NAME, name)
        return name, self.take(option, form, address)


def plan(folder: Path, asked: Asked, today: date) -> NewNode | NotUnderstood:
    """Read what the operator wrote. The node is named after the first label of its host name."""
    reading = _Reading()
    hostname = reading.take("--hostname", HOSTNAME, asked.hostname)
    domains = [reading.take("--domain", DOMAIN, domain) for domain in asked.domains]
    listen = [reading.take("--listen", SMTP_LISTENER, address) for address in asked.listen]
    peer_name, peer_address = reading.other("--peer", _MEMBER, asked.peer, "mx2=192.0.2.2:7250")
    witness_name, witness_address = reading.other("--witness", _WITNESS_REACHED, asked.witness, "w=192.0.2.3:7252")
    site_name, site_address = reading.other("--site", _MEMBER, asked.site, "far=192.0.2.4:7250")
    own_address = reading.take("--address", _MEMBER, asked.address) if asked.address else None
    for option, given in (("--witness", asked.witness), ("--site", asked.site), ("--address", asked.address)):
        if given and not asked.peer:
            reading.errors.append(f"{option} {given!r} is of use to a pair alone; give --peer with it")
    if reading.errors:
        return NotUnderstood(tuple(reading.errors))
    name, _, domain = hostname.partition(".")
    used = {name}
    for option, other in (("--peer", peer_name), ("--witness", witness_name), ("--site", site_name)):
        if other and other in used:
            return NotUnderstood((f"{option} {other!r} is another's name already",))
        used.add(other)
    port = peer_address.port if peer_name else REPLICATION_PORT
    return NewNode(
        folder=folder,
        member=Member(name, 1, hostname, own_address or Address(hostname, port)),
        peer=Member(peer_name, 2, _hostname_at(peer_name, peer_address, domain), peer_address) if peer_name else None,
        domains=tuple(dict.fromkeys(domains)),
        selector=f"m{today:%Y%m}",
        listen=tuple(map(str, listen)),
        witness=Voter(witness_name, witness_address) if witness_name else None,
        site=Member(site_name, 3, _hostname_at(site_name, site_address, domain), site_address) if site_name else None,
    )


def _hostname_at(name: str, address: Address, domain: str) -> str:
    """Return the host name of a node that is reached there: the address, or its name beside ours."""
    return address.host if isinstance(HOSTNAME.read(address.host), str) else f"{name}.{domain}"


def write_new_node(new: NewNode) -> None:
    """Write everything, or leave nothing. Errors: FileExistsError before anything is written; OSError."""
    if (new.folder / "mtad.toml").exists():
        raise FileExistsError(f"{new.folder / 'mtad.toml'} exists and is not overwritten")
    if new.folder.is_dir() and any(new.folder.iterdir()):
        raise FileExistsError(f"{new.folder} is not empty; nothing is written there. Give a new or an empty folder")
    made = [each for each in (new.folder, *new.folder.parents) if not each.exists()]
    try:
        _write_members(new)
    except BaseException:  # a disk that is full, an operator who does not wait: half a node would be in the way
        _take_back(new.folder, made)
        raise


def _take_back(folder: Path, made: Iterable[Path]) -> None:
    """Remove what stands in a folder that had nothing in it, and those folders that were made for it."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    for path in made:
        with contextlib.suppress(OSError):
            path.rmdir()


def _write_members(new: NewNode) -> None:
    make_private_folder(new.folder)
    make_dkim_key(new.folder / "keys" / "dkim.key")
    _write_member(new, new.folder, new.member, new.peer)
    peer_folder = new.peer_folder
    if new.peer is None or peer_folder is None:
        return
    others: list[tuple[Path, Member, Member | None]] = [(peer_folder, new.peer, new.member)]
    if new.site is not None and new.site_folder is not None:
        others.append((new.site_folder, new.site, None))
    ca = make_ca(new.folder / "replication")
    make_member_certificate(ca, new.member.name, new.folder / "replication")
    for folder, member, peer in others:
        write_private(folder / "keys" / "dkim.key", (new.folder / "keys" / "dkim.key").read_bytes())
        _write_member(new, folder, member, peer)
        make_member_certificate(ca, member.name, folder / "replication")
        write_private(folder / "replication" / "ca.pem", ca.certificate.read_bytes())
    if new.witness is not None and new.witness_folder is not None:
        make_member_certificate(ca, new.witness.name, new.witness_folder)
        write_private(new.witness_folder / "ca.pem", ca.certificate.read_bytes())


def _write_member(new: NewNode, folder: Path, member: Member, peer: Member | None) -> None:
    for name in ("data", "run"):
        make_private_folder(folder / name)
    make_server_certificate(member.hostname, folder / "tls")
    write_private(folder / "policy.sieve", DEFAULT_POLICY.read_bytes())
    write_private(folder / "mtad.toml", render(new, member, peer).encode())


def render(new: NewNode, member: Member, peer: Member | None) -> str:
    """Return one member's mtad.toml."""
    return _NODE.format(
        name=toml_value(member.name),
        id=member.id,
        hostname=toml_value(member.hostname),
        domains=toml_value(list(new.domains)),
        listen=toml_value(list(new.listen)),
        tls_cert=toml_value(f"tls/{member.hostname}.pem"),
        tls_key=toml_value(f"tls/{member.hostname}.key"),
        domain=toml_value(new.domains[0]),
        selector=toml_value(new.selector),
    ) + (_render_replication(new, member, peer) if new.peer is not None else _ALONE)


def _render_replication(new: NewNode, member: Member, peer: Member | None) -> str:
    """Return the table of a node of the pair; without a peer, of the site."""
    lines: dict[str, object] = {
        "group": GROUP,
        "listen": f"[::]:{member.replication.port}",
        "ca": "replication/ca.pem",
        "cert": f"replication/{member.name}.pem",
        "key": f"replication/{member.name}.key",
    }
    if peer is None:
        lines["members"] = [{"name": each.name, "id": each.id} for each in (new.member, new.peer) if each is not None]
    else:
        lines["peer"] = _reached_at(peer)
        if new.site is not None:
            lines["sites"] = [_reached_at(new.site)]
        if new.witness is not None:
            lines["authority"] = "witness"
            lines["witness"] = {"name": new.witness.name, "address": str(new.witness.address)}
    head = _SITE if peer is None else _PAIR
    return head + "".join(f"{name} = {toml_value(value)}\n" for name, value in lines.items())


def _reached_at(member: Member) -> dict[str, object]:
    return {"name": member.name, "id": member.id, "address": str(member.replication)}


def dns_records(new: NewNode) -> list[str]:
    """Return the records to publish, as lines of a zone file (RFC 1035 §5.1)."""
    text = " ".join(f'"{part}"' for part in record_strings(dkim_record(new.folder / "keys" / "dkim.key")))
    members = [new.member] if new.peer is None else [new.member, new.peer]
    records = [
        f"; {member.hostname} needs an A or AAAA record, and its address the PTR of that name" for member in members
    ]
    if new.site is not None:
        records.append(f"; so does {new.site.hostname}: it delivers when it is promoted")
    senders = "mx" if new.site is None else f"mx a:{new.site.hostname}"
    for domain in new.domains:
        records += [f"{domain}. IN MX {10 * member.id} {member.hostname}." for member in members]
        records.append(f'{domain}. IN TXT "v=spf1 {senders} -all"')
    return [*records, f"{new.selector}._domainkey.{new.domains[0]}. IN TXT ( {text} )"]


def files_to_mention(new: NewNode) -> Sequence[str]:
    """Return what the operator should know of the files, one sentence a line."""
    told = [f"{new.folder}/mtad.toml and all that it names are written."]
    if new.peer is not None:
        told.append(f"Move {new.peer_folder} to {new.peer.hostname}: it is {new.peer.name}'s, with private keys.")
        told.append(f"Keep {new.folder}/replication/ca.key offline: it makes further members' certificates.")
    if new.site is not None:
        told.append(f"Move {new.site_folder} to {new.site.hostname}: it is the site {new.site.name}'s.")
    if new.witness is not None and new.peer is not None:
        members = f"--member {new.member.name} --member {new.peer.name}"
        told.append(f"Move {new.witness_folder} to the machine of {new.witness.name}, and run there:")
        told.append(
            f"  mtad witness --dir DIR --name {new.witness.name} --listen [::]:{new.witness.address.port} {members}"
        )
    told.append("The certificates in tls/ are self-signed; put a public CA's in their place when you have them.")
    return told


_NODE = """\
# How this node runs. Every setting: docs/reference/configuration.md. What happens to mail: policy.sieve.
# Relative paths start at this folder.

[node]
name = {name}
id = {id}
hostname = {hostname}
domains = {domains}  # this node is MX for them
data_dir = "data"  # the queue; a real disk
run_dir = "run"

[smtp]
listen = {listen}
tls_cert = {tls_cert}
tls_key = {tls_key}
users = "users"  # `mtactl user add` begins it; then let users in: docs/how-to/let-users-submit-mail.md

[policy]
file = "policy.sieve"

[[dkim.keys]]
domain = {domain}
selector = {selector}
file = "keys/dkim.key"

# [monitoring]  # answers Prometheus and health checks at 127.0.0.1:7251: docs/how-to/watch-a-node.md
"""
_PAIR = """
# The pair: a message is on both nodes' disks before its client hears 250.
[replication]
"""
_SITE = """
# The pair that this node, a site, follows: it delivers when `mtactl site promote` says so, and until then sends what it
# is given to the pair.
[replication]
"""
_ALONE = """
# Without a [replication] table the queue has one copy. `mtad init DIR --peer NAME=HOST:PORT` writes a pair's files.
"""
