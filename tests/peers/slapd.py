"""A private OpenLDAP server on loopback, with the users that a test gives it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from mtad.lab.ports import free_port
from tests.peers.process import open_folder, program, running

BASE = "dc=l,dc=example"
ADMIN = f"cn=mtad,{BASE}"
PASSWORD = "secret"
PYTHON_LDAP = "/usr/lib/python3/dist-packages"  # where Debian's python3-ldap is

_CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
argsfile {folder}/args
database mdb
suffix {base}
rootdn {admin}
rootpw {password}
directory {folder}/data
access to * by * none
"""
_TOP = """\
dn: {base}
objectClass: dcObject
objectClass: organization
o: l
dc: l

"""
_USER = """\
dn: uid={uid},{base}
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
mail: {mail}
title: {title}

"""


@contextmanager
def slapd(users: dict[str, str]) -> Iterator[int]:
    """Run the server and yield its port. Errors: PeerUnavailable.

    users   title by address
    """
    with open_folder("slapd") as folder:
        (folder / "data").mkdir()
        configuration = folder / "slapd.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder, base=BASE, admin=ADMIN, password=PASSWORD))
        entries = _TOP.format(base=BASE) + "".join(
            _USER.format(uid=mail.partition("@")[0], base=BASE, mail=mail, title=title) for mail, title in users.items()
        )
        subprocess.run(
            [program("slapadd"), "-q", "-f", str(configuration)], input=entries.encode(), check=True, timeout=30
        )
        port = free_port()
        command = [program("slapd"), "-f", str(configuration), "-h", f"ldap://127.0.0.1:{port}", "-d", "0"]
        with running(command, lambda: _answers(port), folder / "log"):
            yield port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False
