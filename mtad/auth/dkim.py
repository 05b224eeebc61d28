"""Signs messages with DKIM (RFC 6376, RFC 8301, RFC 8463): dkimpy forms the field, `cryptography` signs the digest.

dkimpy asks an Ed25519 key object for a signature over the SHA-256 digest of the header fields; the key object here
answers so for RSA too, which spares dkimpy's own RSA arithmetic (fifteen times the cost) and its parsing of the key for
every message. Body hashes are made here: dkimpy's regular expressions cost 30 ms a megabyte.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import dkim
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from dkim.canonicalization import CanonicalizationPolicy

RSA_BITS_MIN = 1024  # RFC 8301 §3.2
_TXT_STRING_OCTETS_MAX = 255

# RFC 6376 §5.4.1, and the list fields of RFC 2369 and RFC 8058.
SIGNED_FIELDS = frozenset(
    b"from sender reply-to to cc subject date message-id in-reply-to references mime-version content-type"
    b" content-transfer-encoding content-id content-description resent-date resent-from resent-sender resent-to"
    b" resent-cc resent-message-id list-id list-help list-unsubscribe list-unsubscribe-post list-subscribe list-post"
    b" list-owner list-archive".split()
)
# Signed once more than they are there, so that nobody can add one (RFC 6376 §5.4.2).
OVERSIGNED_FIELDS = (b"from",)

_PREHASHED = Prehashed(hashes.SHA256())
_PKCS1 = padding.PKCS1v15()
_SILENT = logging.getLogger("mtad.auth.dkim.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where a private key is, and under which name its public half is published."""

    domain: str
    selector: str
    path: Path


@dataclass(frozen=True, slots=True)
class BadKey:
    """A key that cannot be used; `why` completes "file: ..."."""

    file: KeyFile
    why: str

    def __str__(self) -> str:
        return f"{self.file.path}: {self.why}"


@dataclass(frozen=True, slots=True)
class _Signature:
    """The shape in which dkimpy wants a signature."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, loaded and checked."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> bytes:
        """The value of the a= tag."""
        return b"rsa-sha256" if isinstance(self.private, RSAPrivateKey) else b"ed25519-sha256"

    def sign(self, digest: bytes) -> _Signature:
        """Sign the SHA-256 digest of the header fields."""
        if isinstance(self.private, RSAPrivateKey):
            return _Signature(self.private.sign(digest, _PKCS1, _PREHASHED))
        return _Signature(self.private.sign(digest))  # RFC 8463 §3: the digest is what is signed


class BodyForm(StrEnum):
    """How a body is brought to its canonical form (RFC 6376 §3.4)."""

    SIMPLE = "simple"
    RELAXED = "relaxed"


def _without_empty_lines(body: bytes) -> bytes:
    """Return the body without the CRLFs at its end; in binary content a CR or LF may stand there alone, and stays."""
    stripped = body.rstrip(b"\r\n")
    end = body[len(stripped) :]
    if 2 * end.count(b"\r\n") == len(end):
        return stripped
    if end.endswith(b"\r"):
        return body
    begin = max(end.rfind(b"\r\r"), end.rfind(b"\n\n")) + 1  # from here on they take turns, up to an LF
    return stripped + end[: begin + end.startswith(b"\n", begin)]


def _simple(body: bytes) -> bytes:
    return _without_empty_lines(body) + b"\r\n"


def _relaxed(body: bytes) -> bytes:
    body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    body = body.replace(b" \r\n", b"\r\n")
    body = _without_empty_lines(body.removesuffix(b" "))
    return body + b"\r\n" if body else b""


_CANONICAL: Mapping[BodyForm, Callable[[bytes], bytes]] = {BodyForm.SIMPLE: _simple, BodyForm.RELAXED: _relaxed}


def canonical_body(body: bytes, form: BodyForm) -> bytes:
    """Return the octets of the body that are hashed."""
    return _CANONICAL[form](body)


class Signer:
    """Signs with a domain's own key, that of a parent domain, or the default key, which is the first."""

    def __init__(
        self, keys: Iterable[SigningKey], body_form: BodyForm = BodyForm.RELAXED, wall: Callable[[], float] = time.time
    ) -> None:
        loaded = list(keys)
        self._by_domain = {key.domain.lower(): key for key in reversed(loaded)}
        self._by_selector = {(key.domain.lower(), key.selector.lower()): key for key in loaded}
        self._default = loaded[0] if loaded else None
        self._wall = wall
        self._body_form = body_form
        self._policy = CanonicalizationPolicy.from_c_value(b"relaxed/" + body_form.value.encode("ascii"))

    def key_for(self, domain: str) -> SigningKey | None:
        """Return the key that signs for a domain; None when there are no keys at all."""
        name = domain.lower()
        while name:
            if name in self._by_domain:
                return self._by_domain[name]
            name = name.partition(".")[2]
        return self._default

    def sign(self, content: bytes, domain: str) -> bytes:
        """Return the DKIM-Signature field, CRLF included, to be put before the content.

        b'' when there is no key, or when the header section has no From field or is no header section at all: what
        cannot be signed is sent unsigned. May be run in a thread.
        """
        key = self.key_for(domain)
        return b"" if key is None else self._signature(content, key)

    def sign_by(self, content: bytes, domain: str, selector: str, fields: Sequence[str] = ()) -> bytes | None:
        """Return the same by this domain's own key, with '' the first of its selectors; None when there is none.

        fields   of the header section that are signed beside From, and may not be added where they are not there; in
                 small letters. () are SIGNED_FIELDS
        """
        name = domain.lower()
        key = self._by_selector.get((name, selector.lower())) if selector else self._by_domain.get(name)
        return None if key is None else self._signature(content, key, tuple(name.encode("ascii") for name in fields))

    def _signature(self, content: bytes, key: SigningKey, fields: Sequence[bytes] = ()) -> bytes:
        header, _, body = content.partition(b"\r\n\r\n")
        try:
            message = dkim.DKIM(header + b"\r\n\r\n", logger=_SILENT, signature_algorithm=b"ed25519-sha256")
        except (dkim.MessageFormatError, IndexError):  # IndexError: the first line continues nothing
            return b""
        # dkimpy brings all that it holds to the canonical form, signed or not: most of a long trace is not
        wanted = frozenset((*fields, b"from")) if fields else SIGNED_FIELDS
        message.headers = [field for field in message.headers if field[0].lower() in wanted]
        names = [name.lower() for name, _ in message.headers]
        if b"from" not in names:
            return b""
        included = [*names, *OVERSIGNED_FIELDS, *(name for name in fields if name not in names)]
        body_digest = hashlib.sha256(canonical_body(body, self._body_form)).digest()
        parts = [
            (b"v", b"1"),
            (b"a", key.algorithm),
            (b"c", self._policy.to_c_value()),
            (b"d", key.domain.encode("idna")),
            (b"s", key.selector.encode("idna")),
            (b"t", b"%d" % int(self._wall())),
            (b"h", b" : ".join(included)),
            (b"bh", base64.b64encode(body_digest)),
            (b"b", b"0" * 60),  # wide enough that the signature begins on a line of its own
        ]
        message.hasher = hashlib.sha256
        field: bytes = message.gen_header(parts, tuple(included), self._policy, b"DKIM-Signature", key)
        return b"DKIM-Signature: " + field


def load_key(file: KeyFile) -> SigningKey | BadKey:
    """Read and check one private key (PEM, PKCS #8 or PKCS #1, unencrypted)."""
    try:
        pem = file.path.read_bytes()
    except OSError as error:
        return BadKey(file, error.strerror or "cannot be read")
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        return BadKey(file, "is encrypted with a passphrase")
    except (ValueError, UnsupportedAlgorithm):
        return BadKey(file, "is not a private key in PEM form")
    if isinstance(private, RSAPrivateKey):
        if private.key_size < RSA_BITS_MIN:
            return BadKey(file, f"has {private.key_size} bits, at least {RSA_BITS_MIN} are needed (better 2048)")
    elif not isinstance(private, Ed25519PrivateKey):
        return BadKey(file, "is neither an RSA nor an Ed25519 key")
    return SigningKey(file.domain, file.selector, private)


def load(files: Iterable[KeyFile], body_form: BodyForm = BodyForm.RELAXED) -> Signer | tuple[BadKey, ...]:
    """Load all keys; return the signer, or everything that is wrong with them."""
    keys = [load_key(file) for file in files]
    bad = tuple(key for key in keys if isinstance(key, BadKey))
    return bad or Signer((key for key in keys if isinstance(key, SigningKey)), body_form)


def record_text(key: SigningKey) -> str:
    """Return the text of the TXT record at `<selector>._domainkey.<domain>` (RFC 6376 §3.6.1, RFC 8463 §4)."""
    if isinstance(key.private, RSAPrivateKey):
        kind, encoding, form = "rsa", serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    else:
        kind, encoding, form = "ed25519", serialization.Encoding.Raw, serialization.PublicFormat.Raw
    octets = key.private.public_key().public_bytes(encoding, form)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode('ascii')}"


def record_strings(text: str) -> tuple[str, ...]:
    """Split the text of a TXT record into strings that fit (RFC 1035 §3.3)."""
    return tuple(text[start : start + _TXT_STRING_OCTETS_MAX] for start in range(0, len(text), _TXT_STRING_OCTETS_MAX))
