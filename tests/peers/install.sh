#!/bin/sh
# Installs the real mail programs that the tests talk to (Debian 12). Does nothing when all of them are there.
# The programs are started by the tests alone: no service of the machine is started or changed.
set -eu

beside=/usr/local/lib/mtad-tests
missing=""
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
has postfix && has smtp-source || missing="$missing postfix"
[ -e /usr/lib/postfix/postfix-lmdb.so ] || missing="$missing postfix-lmdb"
has slapd && [ -d /usr/lib/python3/dist-packages/ldap ] || missing="$missing slapd python3-ldap"
has dovecot && [ -x /usr/lib/dovecot/lmtp ] || missing="$missing dovecot-lmtpd"
has sieve-test || missing="$missing dovecot-sieve"
has opendkim || missing="$missing opendkim"
has swaks || missing="$missing swaks"
has gsasl || missing="$missing gsasl"
has npm && has node || [ -e "$beside/haraka/.complete" ] || missing="$missing npm"
has openssl || missing="$missing openssl"
unpacked="" # packages that cannot be installed beside Postfix: their programs are run from where they are unpacked
[ -x "$beside/exim4-daemon-light/usr/sbin/exim4" ] || unpacked="$unpacked exim4-daemon-light"
[ -x "$beside/opensmtpd/usr/sbin/smtpd" ] || unpacked="$unpacked opensmtpd"
[ -z "$unpacked" ] || missing="$missing libgnutls-dane0 libidn12 libnsl2 libevent-2.1-7" # which they need
haraka=""
[ -e "$beside/haraka/.complete" ] || haraka="haraka"
[ -n "$missing$unpacked$haraka" ] || exit 0

command -v apt-get >/dev/null 2>&1 || {
    echo "The tests need$missing$unpacked, and there is no apt-get here to install them with." >&2
    exit 1
}
as_root=""
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "The tests need$missing$unpacked $haraka. As root: $0" >&2
        exit 1
    fi
fi

echo "Installing what the tests talk to:$missing$unpacked $haraka"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # 101: no service is started by its installation
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    trap '$as_root rm -f "$policy"' EXIT
fi
log=$(mktemp)
for answer in "main_mailer_type select No configuration" "mailname string test.invalid"; do
    echo "postfix postfix/$answer" | $as_root debconf-set-selections
done
install() {
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086  # the names are words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >>"$log" 2>&1
}
folder=$(mktemp -d)
unpack() {
    [ -n "$unpacked" ] || return 0
    # shellcheck disable=SC2086
    (cd "$folder" && apt-get download $unpacked) >>"$log" 2>&1 || return 1
    for name in $unpacked; do
        $as_root mkdir -p "$beside/$name"
        $as_root dpkg -x "$folder/$name"_*.deb "$beside/$name"
    done
}
if ! { install && unpack; }; then # the lists of packages may be old, or absent as on a fresh image
    $as_root apt-get update >>"$log" 2>&1 || true
    { install && unpack; } || {
        tail -n 20 "$log" >&2
        echo "apt-get could not install$missing$unpacked; the whole log is $log" >&2
        exit 1
    }
fi
for user in Debian-exim opensmtpd opensmtpq; do
    id "$user" >/dev/null 2>&1 || $as_root useradd -r -M -U -s /usr/sbin/nologin "$user"
done
if [ -n "$haraka" ]; then
    $as_root mkdir -p "$beside/haraka"
    $as_root cp "$(dirname "$0")/haraka.json" "$beside/haraka/package.json"
    (cd "$beside/haraka" && $as_root npm install --no-audit --no-fund --omit=optional --ignore-scripts) >>"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "npm could not install Haraka; the whole log is $log" >&2
        exit 1
    }
    $as_root touch "$beside/haraka/.complete"
fi
rm -rf "$log" "$folder"
