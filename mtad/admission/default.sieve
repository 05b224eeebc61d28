# The policy that mtad follows when mtad.toml names no other. Copy it, change it, check it with
#
#     mtactl sieve check policy.sieve
#
# A stage that says nothing goes on with the built-in default. At rcpt that is: take mail for our own domains, and
# everything from submitters (trusted below, or authenticated); answer all else with "550 5.7.1 Relaying denied".

require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue"];

stage "connect" {
    # Programs on this machine are submitters of ours. Nobody else is trusted for where they come from.
    if ip ["127.0.0.0/8", "::1"] {
        accept :relay;
    }
}

stage "deliver" {
    # To the MX hosts of the recipient's domain; encrypted wherever they offer it.
    route :tls "may" "smtp";

    # Mail for a server behind this one goes to it like this (and needs "envelope" in the require line):
    #
    #   if envelope :domain "to" "example.org" {
    #       route :host "unix:/run/dovecot/lmtp" "lmtp";
    #   }

    # What the next hop refuses for now stays with an MTA that sends it to us: it has a queue of its own, and ours
    # stays empty. To keep it here instead:
    #
    #   queue :transient;

    # Seconds between attempts, the last one repeats; after five days the sender gets it back.
    retry :intervals ["300", "900", "1800", "3600", "7200", "14400"] :expire 432000;
}
