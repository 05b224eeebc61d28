"""Connections to directories by python-ldap, over OpenLDAP's own library."""

from __future__ import annotations

from collections.abc import Sequence

import ldap

from mtad.maps.directory import Search

ANSWER_SECONDS_MAX = 10


class LdapConnection:
    """A connection that is bound as the file of a map says."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._connection = ldap.initialize(search.url)
        self._connection.set_option(ldap.OPT_NETWORK_TIMEOUT, ANSWER_SECONDS_MAX)
        self._connection.set_option(ldap.OPT_TIMEOUT, ANSWER_SECONDS_MAX)
        self._connection.set_option(ldap.OPT_REFERRALS, 0)
        try:
            if search.needs_start_tls:
                self._connection.start_tls_s()
            self._connection.simple_bind_s(search.bind_dn, search.password)
        except BaseException:
            self.close()
            raise

    def search(self, filter_text: str, entries_max: int) -> Sequence[Sequence[bytes]]:
        """Return the attribute's values of each entry. Errors: ldap.LDAPError."""
        attribute = self._search.attribute or "1.1"  # RFC 4511 §4.5.1.8: no attributes
        found = self._connection.search_ext_s(
            self._search.base,
            ldap.SCOPE_SUBTREE,
            filter_text,
            [attribute],
            timeout=ANSWER_SECONDS_MAX,
            sizelimit=entries_max,
        )
        # what has no name is a reference to another directory; attributes have the names that the server has for them
        entries = [
            dict((name.lower(), values) for name, values in held.items()) for dn, held in found if dn is not None
        ]
        return [entry.get(attribute.lower(), ()) for entry in entries]

    def close(self) -> None:
        """Close it, whatever state it is in."""
        try:
            self._connection.unbind_s()
        except ldap.LDAPError:
            return
