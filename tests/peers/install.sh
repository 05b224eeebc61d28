#!/bin/sh
# Installs the real mail programs that the tests talk to (Debian 12). Does nothing when all of them are there.
# The programs are started by the tests alone: no service of the machine is started or changed.
set -eu

missing=""
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
has postfix && has smtp-source || missing="$missing postfix"
has dovecot && [ -x /usr/lib/dovecot/lmtp ] || missing="$missing dovecot-lmtpd"
has sieve-test || missing="$missing dovecot-sieve"
has opendkim || missing="$missing opendkim"
has swaks || missing="$missing swaks"
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null 2>&1 || {
    echo "The tests need$missing, and there is no apt-get here to install them with." >&2
    exit 1
}
as_root=""
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "The tests need$missing. As root: apt-get install -y --no-install-recommends$missing" >&2
        exit 1
    fi
fi

echo "Installing what the tests talk to:$missing"
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
    # shellcheck disable=SC2086  # the names are words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >>"$log" 2>&1
}
if ! install; then # the lists of packages may be old, or absent as on a fresh image
    $as_root apt-get update >>"$log" 2>&1 || true
    install || {
        tail -n 20 "$log" >&2
        echo "apt-get could not install$missing; the whole log is $log" >&2
        exit 1
    }
fi
rm -f "$log"
