"""The checks that must pass before the first port opens: each says what it found and what mends it.

They read files and ask the file system, nothing else; they change nothing but a scratch file of their own. A node with
a failed check does not start: one without a DKIM key, with a key that others can read, with certificates that its peer
would refuse. Key sizes: RFC 8301 §3.2.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from mtad.admission.policy import DEFAULT_POLICY, Policy, PolicyErrors, PolicySettings
from mtad.auth.dkim import BadKey, KeyFile, load_key
from mtad.config.settings import Settings
from mtad.delivery import credentials
from mtad.maps.shelf import build_shelf
from mtad.private_file import is_open_to_others
from mtad.programs.folder import folder_problem, programs_of
from mtad.sieve.outside import Outside
from mtad.startup import open_files
from mtad.startup.certificates import BadCertificate, Certificate, load_authority, load_pair
from mtad.telemetry.events import Events
from mtad.users.file import BadUsers, read

RSA_BITS_WISE = 2048
EXPIRY_WARNING = timedelta(days=14)
SOCKET_PATH_OCTETS_MAX = 107  # sun_path of unix(7), without its final zero
MOUNTS = Path("/proc/self/mountinfo")
_WRITERS = stat.S_IWGRP | stat.S_IWOTH
_MEMORY_TYPES = frozenset({"tmpfs", "ramfs"})
_NETWORK_TYPES = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs"})


class Grade(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check looked at, what it found, and what mends it ('' when nothing is broken)."""

    check: str
    grade: Grade
    found: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.grade.value:4} {self.check}: {self.found}" + (f"\n     mend: {self.mend}" if self.mend else "")


@dataclass(frozen=True, slots=True)
class _Look:
    """What a check may look at."""

    settings: Settings
    events: Events
    now: datetime


_Check = Callable[[_Look], Iterator[Finding]]


def run_checks(settings: Settings, events: Events, now: datetime) -> tuple[Finding, ...]:
    """Run every check, whatever the others find. `now` is aware of its zone. Errors: none are raised."""
    look = _Look(settings, events, now)
    return tuple(finding for check in CHECKS for finding in check(look))


def failed(findings: tuple[Finding, ...]) -> bool:
    """Tell whether the node must not start."""
    return any(finding.grade is Grade.FAIL for finding in findings)


def _dkim(look: _Look) -> Iterator[Finding]:
    keys = look.settings.dkim.keys
    if not keys:
        mend = "`mtad init DIR` makes a key and prints its record; name it in [[dkim.keys]]"
        yield Finding("dkim", Grade.FAIL, "no DKIM key is configured", mend)
    for key in keys:
        name = f"dkim {key.selector}._domainkey.{key.domain}"
        loaded = load_key(KeyFile(key.domain, key.selector, key.file))
        if isinstance(loaded, BadKey):
            make = f"openssl genrsa -out {key.file} 2048; publish its new record"
            mend = "name the file of a private key there" if key.file.exists() else make
            yield Finding(name, Grade.FAIL, str(loaded), mend)
            continue
        size = loaded.private.key_size if isinstance(loaded.private, RSAPrivateKey) else RSA_BITS_WISE
        if size < RSA_BITS_WISE:
            mend = f"make one of {RSA_BITS_WISE} bits under a new selector"
            yield Finding(name, Grade.WARN, f"{key.file} has only {size} bits", mend)
        yield _private(name, key.file) or Finding(name, Grade.OK, f"{key.file} is a usable key")


def _tls(look: _Look) -> Iterator[Finding]:
    smtp, hostname = look.settings.smtp, look.settings.node.hostname
    if smtp.tls_cert is None or smtp.tls_key is None:
        mend = "give smtp.tls_cert and smtp.tls_key"
        yield Finding("tls", Grade.WARN, "no certificate: STARTTLS is not offered", mend)
        return
    pair = load_pair(smtp.tls_cert, smtp.tls_key)
    if isinstance(pair, BadCertificate):
        yield Finding("tls", Grade.FAIL, str(pair), "give the certificate chain and its key, both PEM")
        return
    renewal = f"get a new certificate for {hostname}"
    yield from _validity("tls", pair, look.now, renewal)
    if not pair.is_for(hostname):
        names = ", ".join(pair.names) or "nobody"
        yield Finding("tls", Grade.WARN, f"{pair.file} is for {names}, not for {hostname}", renewal)
    yield _private("tls", smtp.tls_key) or Finding("tls", Grade.OK, f"{pair.file} and its key fit")


def _users(look: _Look) -> Iterator[Finding]:
    smtp = look.settings.smtp
    if smtp.users is None or not smtp.takes_users:
        return
    found = read(smtp.users)
    if isinstance(found, BadUsers):
        mend = "`mtactl user add NAME` begins the file; then it must be this user's or its group's, chmod 640"
        yield Finding("users", Grade.FAIL, str(found), mend)
    elif not found.users:
        yield Finding(
            "users", Grade.WARN, f"{smtp.users} has no users: nobody can submit mail", "`mtactl user add NAME`"
        )
    else:
        yield Finding("users", Grade.OK, f"{smtp.users} has {len(found.users)} users")


def _credentials(look: _Look) -> Iterator[Finding]:
    for name, path in look.settings.delivery.credentials.items():
        found = credentials.read(path)
        if isinstance(found, credentials.BadCredentials):
            mend = f"give it a user and a password, this user's or its group's, chmod 640 {path}"
            yield Finding(f"credentials {name}", Grade.FAIL, str(found), mend)
        else:
            yield Finding(f"credentials {name}", Grade.OK, f"{path} has a user and a password")


def _replication(look: _Look) -> Iterator[Finding]:
    replication, name = look.settings.replication, look.settings.node.name
    if replication is None:
        mend = "`mtad init DIR --peer NAME=HOST:PORT` writes the files of a pair"
        yield Finding("replication", Grade.WARN, "no pair: the queue has one copy", mend)
        return
    remake = "`mtad init` makes a CA and both members' certificates"
    authority = load_authority(replication.ca)
    pair = load_pair(replication.cert, replication.key)
    for loaded in (authority, pair):
        if isinstance(loaded, BadCertificate):
            yield Finding("replication", Grade.FAIL, str(loaded), remake)
    if isinstance(authority, Certificate):
        yield from _validity("replication", authority, look.now, remake)
    if isinstance(pair, Certificate):
        yield from _validity("replication", pair, look.now, remake)
        if not pair.is_for(name):
            found = f"{pair.file} is for {', '.join(pair.names) or 'nobody'}, not for node.name {name}"
            yield Finding("replication", Grade.FAIL, found, remake)
        if isinstance(authority, Certificate) and not pair.is_signed_by(authority):
            found = f"{pair.file} is not signed by {authority.file}"
            yield Finding("replication", Grade.FAIL, found, remake)
        yield _private("replication", replication.key) or Finding(
            "replication", Grade.OK, f"{pair.file} names {name} and fits its key"
        )


def _role_hook(look: _Look) -> Iterator[Finding]:
    replication = look.settings.replication
    if replication is None or replication.on_role is None:
        return
    path = replication.on_role.command
    mend = "give an executable file as replication.on_role.command"
    if not path.is_file():
        yield Finding("on_role", Grade.FAIL, f"{path} is no file that is there", mend)
    elif not os.access(path, os.X_OK):
        yield Finding("on_role", Grade.FAIL, f"{path} may not be executed by this user", f"chmod 755 {path}")
    elif path.stat().st_mode & _WRITERS:
        found = f"others can change {path} (mode {stat.S_IMODE(path.stat().st_mode):04o})"
        yield Finding("on_role", Grade.FAIL, found, f"chmod go-w {path}")
    else:
        yield Finding("on_role", Grade.OK, f"{path} is run when the role changes")


def _programs(look: _Look) -> Iterator[Finding]:
    """Tell of the folder; what is wrong with a program is told of the policy that names it."""
    if look.settings.programs is None:
        return
    folder = look.settings.programs.folder
    problem = folder_problem(folder)
    if problem:
        mend = f"make it and chmod 755 {folder}, or leave [programs] out"
        yield Finding("programs", Grade.FAIL, problem, mend)
    else:
        yield Finding("programs", Grade.OK, f"{folder} has what the policy may run")


def _data_dir(look: _Look) -> Iterator[Finding]:
    path = look.settings.node.data_dir
    problem = _write_problem(path)
    if problem:
        yield Finding("data", Grade.FAIL, f"{path}: {problem}", _folder_mend(path, problem, "700"))
        return
    kind = filesystem_type(path)
    usage = shutil.disk_usage(path)
    used_percent = 100 * (usage.total - usage.free) // max(1, usage.total)
    if kind in _NETWORK_TYPES:
        found = f"{path} is on {kind}, where the queue's locks and fsync cannot be trusted"
        yield Finding("data", Grade.FAIL, found, "give a folder on a local disk as node.data_dir")
        return
    if kind in _MEMORY_TYPES:
        found = f"{path} is on {kind}: a power failure loses this copy of the queue"
        yield Finding("data", Grade.WARN, found, "give a folder on a disk as node.data_dir")
    if used_percent >= look.settings.queue.full_percent:
        found = f"the disk of {path} is {used_percent} % full: new mail gets 452"
        yield Finding("data", Grade.WARN, found, "free space, or move node.data_dir")
    yield Finding("data", Grade.OK, f"{path} takes writes, on {kind or 'a file system of unknown type'}")


def _run_dir(look: _Look) -> Iterator[Finding]:
    path, socket = look.settings.node.run_dir, look.settings.node.admin_socket
    if len(os.fsencode(socket)) > SOCKET_PATH_OCTETS_MAX:
        found = f"{socket} is longer than the {SOCKET_PATH_OCTETS_MAX} octets of a socket's path"
        yield Finding("run", Grade.FAIL, found, "give a shorter node.run_dir")
        return
    problem = _write_problem(path)
    if not problem and path.stat().st_mode & _WRITERS and not path.stat().st_mode & stat.S_ISVTX:
        problem = f"others can write there (mode {stat.S_IMODE(path.stat().st_mode):04o})"
    if problem:
        yield Finding("run", Grade.FAIL, f"{path}: {problem}", _folder_mend(path, problem, "750"))
        return
    yield Finding("run", Grade.OK, f"{path} takes sockets")


def _files(look: _Look) -> Iterator[Finding]:
    sessions_max, processes = look.settings.smtp.sessions_max, max(1, look.settings.node.workers)
    there, needed = open_files.files_max(), open_files.files_for(-(-sessions_max // processes))
    if there >= needed:
        yield Finding("files", Grade.OK, f"a process may open {there} files, enough for smtp.sessions_max")
        return
    possible = processes * open_files.sessions_for(there)
    found = f"a process may open only {there} files: {possible} sessions at a time, not {sessions_max}"
    mend = f"allow {needed} (LimitNOFILE= of the unit, or `ulimit -Hn`), or lower smtp.sessions_max"
    yield Finding("files", Grade.WARN, found, mend)


def _monitoring(look: _Look) -> Iterator[Finding]:
    """Tell who can read the metrics; whether the port is free shows when it is opened, as with all others."""
    monitoring = look.settings.monitoring
    for address in () if monitoring is None else monitoring.listen:
        if ip_address(address.host).is_unspecified:
            found = f"whoever reaches this machine can read the metrics at port {address.port}"
            mend = "name loopback, or an address of a network that watchers alone reach, in monitoring.listen"
            yield Finding("monitoring", Grade.WARN, found, mend)
        else:
            yield Finding("monitoring", Grade.OK, f"{address} answers Prometheus and health checks")


def _policy(look: _Look) -> Iterator[Finding]:
    path = look.settings.policy.file or DEFAULT_POLICY
    maps = build_shelf(look.settings.policy.maps)
    for unusable in maps.unusable:
        yield Finding("maps", Grade.FAIL, str(unusable), "mend it, or leave it out of policy.maps")
    outside = Outside(
        maps.maps,
        programs=programs_of(look.settings, look.events),
        logins=frozenset(look.settings.delivery.credentials),
    )
    known = PolicySettings(look.settings.node.domains, outside=outside)
    loaded = Policy.load(path, known, look.events)
    maps.release()
    if isinstance(loaded, PolicyErrors):
        *others, last = loaded.errors
        for error in others:
            yield Finding("policy", Grade.FAIL, str(error))
        mend = "mend the script (`mtactl sieve check FILE` looks at it alone), or leave policy.file out"
        yield Finding("policy", Grade.FAIL, str(last), mend)
        return
    for what in sorted(loaded.lacks):
        found = f"it asks `{what}`, which this version cannot answer: where it comes to that, clients hear 451"
        yield Finding("policy", Grade.WARN, found, 'ask for "unavailable" first, say `:onerror`, or take it out')
    yield Finding("policy", Grade.OK, f"{path} compiles")


CHECKS: tuple[_Check, ...] = (
    _dkim,
    _tls,
    _users,
    _credentials,
    _replication,
    _role_hook,
    _programs,
    _data_dir,
    _run_dir,
    _files,
    _monitoring,
    _policy,
)


def _private(check: str, path: Path) -> Finding | None:
    """Return what is wrong with a private file's mode; the file is known to be readable."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if is_open_to_others(mode):
        return Finding(check, Grade.FAIL, f"{path} is open to others (mode {mode:04o})", f"chmod 600 {path}")
    return None


def _validity(check: str, certificate: Certificate, now: datetime, mend: str) -> Iterator[Finding]:
    day = "%Y-%m-%d"
    if now < certificate.not_before:
        found = f"{certificate.file} is not valid before {certificate.not_before:{day}}"
        yield Finding(check, Grade.FAIL, found, f"{mend}, or set the clock")
    elif now >= certificate.not_after:
        yield Finding(check, Grade.FAIL, f"{certificate.file} expired on {certificate.not_after:{day}}", mend)
    elif now >= certificate.not_after - EXPIRY_WARNING:
        yield Finding(check, Grade.WARN, f"{certificate.file} expires on {certificate.not_after:{day}}", mend)


def _write_problem(folder: Path) -> str:
    """Return why nothing can be kept in a folder; '' when a file could be written and synced there."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".mtad-check-") as scratch:
            scratch.write(b"x")
            scratch.flush()
            os.fsync(scratch.fileno())
    except OSError as error:
        return error.strerror or "cannot be written"
    return ""


def _folder_mend(folder: Path, problem: str, mode: str) -> str:
    if problem == os.strerror(errno.ENOSPC):
        return "free space on that disk"
    return f"install -d -m {mode} {folder}, owned by mtad's user"


def filesystem_type(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system that holds the path, as mountinfo says (proc(5)); '' when unknown."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real = path.resolve()
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if real.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split(" ")[0]
    return kind
