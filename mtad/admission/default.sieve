# The policy that mtad follows when mtad.toml names no other. Copy it, change it, check it with `mtactl sieve check`, and
# see what it makes of a message with `mtactl sieve trace`. A stage that says nothing goes on with what is built in, which
# is said here at each of them. What is indented behind a # is an example; docs/reference/sieve.md says what there is.

require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue"];

# A client connects. Built in: everybody may speak, and nobody is trusted for where they come from.
stage "connect" {
    # Programs on this machine are submitters of ours: they may send everywhere.
    if ip ["127.0.0.0/8", "::1"] {
        accept :relay;
    }

    # Networks that we do not talk to, and a list of such addresses in DNS (needs "vnd.mtad.dns"):
    #
    #   if ip ["192.0.2.0/24", "2001:db8::/32"] { ereject "We take no mail from your network."; }
    #   if dnsbl "bl.example.org" "127.0.0.2" { ereject :code 554 "Your address is listed at bl.example.org."; }
}

# It says its name, logs in, names the sender. Built in: any name and any sender will do, but who has logged in sends as
# an address of our domains, or as nobody. `accept :relay;` in the stage "auth" lifts that.

# It names a recipient. Built in: those of our domains may be sent to by everybody (and postmaster without a domain, as
# RFC 5321 wants it), all others by our submitters alone; anybody else hears "550 5.7.1 Relaying denied".
#
#   stage "rcpt" {
#       if not validrcpt { ereject :enhanced "5.1.1" "No such user here."; }  # needs "vnd.mtad.lookup" and a map
#       if greylist { tempfail :code 450 "Come again in five minutes."; }     # needs "vnd.mtad.limits"
#   }

# The message is here. Built in: it is signed with DKIM where a submitter of ours has sent it, and goes on as it is.
#
#   stage "data" {
#       if header :contains "subject" "lottery" { ereject "We do not play."; }
#   }

# Where a recipient's mail goes.
stage "deliver" {
    # To the MX hosts of the recipient's domain; encrypted wherever they offer it.
    route :tls "may" "smtp";

    # Mail for a server behind this one goes to it like this (and needs "envelope" in the require line):
    #
    #   if envelope :domain "to" "example.org" {
    #       route :host "unix:/run/dovecot/lmtp" "lmtp";
    #   }

    # What the next hop refuses for now stays with an MTA that sends it to us: it has a queue of its own, and ours
    # stays empty. What users and trusted programs send is always kept. To keep it for all:
    #
    #   queue :transient;

    # Seconds between attempts, the last one repeats; after four hours the sender is told that it takes long, after five
    # days gets it back.
    retry :intervals ["300", "900", "1800", "3600", "7200", "14400"] :delaydsn 14400 :expire 432000;
}

# An attempt from the queue has failed. Built in: what is refused for good goes back to the sender, what is refused for
# now is tried again by the plan above.
#
#   stage "queue" {
#       if outcome :contains "text" "over quota" { bounce :enhanced "5.2.2" "The mailbox is full."; }
#   }
