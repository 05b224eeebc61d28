"""A private Exim, unpacked from Debian's package: Exim and Postfix cannot both be installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.peers.process import greets, open_folder, running
from tests.peers.relay import PLAIN, TLS, Errand, Relay, beside

USER = "Debian-exim"
_CONFIG = """\
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/exim.pid
exim_user = {user}
exim_group = {user}
deliver_drop_privilege = true
primary_hostname = exim.lab.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
disable_ipv6 = true
host_lookup =
rfc1413_query_timeout = 0s
message_size_limit = 64M
dsn_advertise_hosts = *
prdr_enable = true
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
acl_smtp_rcpt = take
acl_smtp_data = take
acl_smtp_data_prdr = each
begin acl
take:
  accept
each:
  deny local_parts = prdr-full
    message = 5.2.2 Full
  defer local_parts = prdr-busy
    message = 4.2.1 Busy
  accept
begin routers
plain:
  driver = manualroute
  domains = {plain}
  transport = plain
  route_list = * 127.0.0.1
  self = send
tls:
  driver = manualroute
  domains = {tls}
  transport = tls
  route_list = * 127.0.0.1
  self = send
onward:
  driver = manualroute
  transport = onward
  route_list = * 127.0.0.1
  self = send
begin transports
plain:
  driver = smtp
  port = {our_port}
  allow_localhost = true
  hosts_avoid_tls = *
  dnssec_request_domains =
{settings}tls:
  driver = smtp
  port = {our_port}
  allow_localhost = true
  hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
  dnssec_request_domains =
onward:
  driver = smtp
  port = {onward_port}
  allow_localhost = true
  hosts_avoid_tls = *
  dnssec_request_domains =
begin retry
* * F,1h,1s
"""


@contextmanager
def exim(errand: Errand, *, settings: Mapping[str, str] | None = None, dkim_key: Path | None = None) -> Iterator[Relay]:
    """Run it; it starts as root only.

    settings   of the transport that sends to us in clear text
    dkim_key   what it signs such mail with, anew at each attempt
    Errors: PeerUnavailable.
    """
    program = beside("exim4-daemon-light/usr/sbin/exim4")
    with open_folder("exim") as folder:
        for name in ("spool", "log"):
            (folder / name).mkdir()
            shutil.chown(folder / name, USER, USER)
        for source, name in ((errand.certificate, "cert.pem"), (errand.key, "key.pem")):
            (folder / name).write_bytes(source.read_bytes())
            shutil.chown(folder / name, USER)
        signing = {}
        if dkim_key is not None:
            (folder / "dkim.pem").write_bytes(dkim_key.read_bytes())
            shutil.chown(folder / "dkim.pem", USER)
            signing = {"dkim_domain": "exim.lab.test", "dkim_selector": "s1", "dkim_private_key": folder / "dkim.pem"}
        config = folder / "exim.conf"
        text = _CONFIG.format(
            program=program,
            folder=folder,
            user=USER,
            port=errand.port,
            certificate=folder / "cert.pem",
            key=folder / "key.pem",
            settings="".join(f"  {name} = {value}\n" for name, value in {**signing, **(settings or {})}.items()),
            plain=PLAIN,
            tls=TLS,
            our_port=errand.our_port,
            onward_port=errand.onward_port,
        )
        config.write_text(text)
        log = folder / "log/main"
        with running([str(program), "-C", str(config), "-bdf", "-q1s"], lambda: greets(errand.port), folder / "output"):
            yield Relay(errand.port, log)
