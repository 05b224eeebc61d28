"""What the reference says of the capabilities that no RFC has, `vnd.*`: a table of texts and examples."""

from __future__ import annotations

from mtad.sieve.reference_table import About

OURS = (
    About(
        "vnd.mtad.stage",
        ("vnd.mtad.stage",),
        "ours",
        "A block for each moment at which a policy is asked: connect, ehlo, auth, mail, rcpt, data for a session, "
        "deliver and what comes behind it for each recipient. `ip` is true of a client in one of the networks, "
        "`ip :local` of our own address that it came to, `ip :name` of the address that is named. "
        "`foreachrcpt` goes to each recipient at `data`, `break` leaves it; what is decided in `monitor` is "
        "only logged. "
        "`separators` says which characters stand before the detail of an address. The variables `${session.name}`, "
        "`${txn.name}` and `${rcpt.name}` are there in the stages that follow too.",
        'require ["variables", "envelope", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "connect" {\n    if ip ["192.0.2.0/24"] { set "session.partner" "1"; }\n}\n\n'
        'stage "data" {\n'
        '    monitor "no date" { if not exists "x-none" { ereject "No date"; } }\n'
        '    foreachrcpt { if envelope :localpart "to" "rr" { ereject "Gone"; } }\n'
        "}\n",
    ),
    About(
        "vnd.mtad.verdict",
        ("vnd.mtad.verdict",),
        "ours; RFC 5429 for the refusals",
        "The answer of a stage. `accept` takes (`:relay`: also for others than our own), `ereject` and `reject` "
        "refuse "
        "with 550 5.7.1 and `tempfail` with 451 4.7.1 unless `:code` and `:enhanced` say otherwise; a reason "
        "may begin "
        'with both ("552 5.3.4 Too big"). `:disconnect` closes the connection, `:log` is for our log alone. They end '
        "the stage, but for `tempfail :ifaccept` and `:ifreject`, which count only if the stage would have "
        "accepted or "
        "refused. `delay` lets the client wait for its reply.",
        'require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "rcpt" {\n'
        '    if envelope :localpart "to" "postmaster" { accept; }\n'
        "    delay 2;\n"
        '    tempfail :ifaccept :code 452 :enhanced "4.3.1" :log "disk" "Later";\n'
        '    ereject "551 5.1.6 Moved";\n'
        "}\n",
    ),
    About(
        "vnd.mtad.route",
        ("vnd.mtad.route",),
        "ours",
        'Where a recipient\'s mail goes: the transport is "smtp" or "lmtp". At the stage `queue` it is said of the '
        "attempts that follow, until it is said anew. `:auth` is the name of credentials in mtad.toml "
        "([how](../../how-to/relay-through-a-smarthost.md)). What `:source`, `:helo` and `:pool` are for: "
        "[scheduling](../../explanation/scheduling.md#another-address-another-name-another-pool).",
        'require ["envelope", "vnd.mtad.stage", "vnd.mtad.route"];\n\n'
        'stage "deliver" {\n'
        '    if envelope :domain "to" "acme.example" { route :host "unix:/run/dovecot/lmtp" "lmtp"; }\n'
        "}\n",
    ),
    About(
        "vnd.mtad.queue",
        ("vnd.mtad.queue",),
        "ours",
        "What goes into the queue, when it is tried there (`queue :after`: not for so many seconds; `queue :priority`: "
        "before others of its destination), by which name operators find it (`queue :name`), how long it stays, and "
        "what becomes of it "
        "([why](../../explanation/policy-decisions.md)). At the stage `queue`, which is asked behind each attempt that "
        "did not end well, `outcome` is true of what became of it, and `bounce` and `defer` decide instead of the "
        "reply; `bounce :silent` tells the log alone. `retry :attempts` counts the attempt that the client waited for; "
        'what a fault of our own has ended counts neither there nor in `outcome "attempts"`, nor does a lookup in '
        "DNS that failed.",
        'require ["variables", "relational", "comparator-i;ascii-numeric", "vnd.mtad.stage", "vnd.mtad.queue"];\n\n'
        'stage "deliver" {\n'
        "    queue :transient;\n"
        '    queue :name "partners" :priority 2;\n'
        '    retry :intervals ["300", "900"] :expire 432000 :delaydsn 14400;\n'
        "}\n\n"
        'stage "queue" {\n'
        '    if outcome :matches "text" "*over quota*" { bounce :enhanced "5.2.2" "The mailbox is full"; }\n'
        "}\n",
    ),
    About(
        "vnd.mtad.log",
        ("vnd.mtad.log",),
        "ours",
        "`log` writes a line for the log; the levels are those of [events](../events.md). Without `:level` it is "
        '"info". `metric` is for those who [watch the node](../../how-to/watch-a-node.md): it adds to a counter (1, or '
        "what `:add` says) or sets a gauge (`:set`), which [Prometheus](../metrics.md) finds under this name. "
        "`:labels` are pairs of a constant name and a value, which may hold variables: up to 4, the same ones wherever "
        "the metric is named. A name that is a counter here and a gauge there is an error. What is measured "
        "changes nothing; it is measured in a `monitor` too, when its stage comes to an end without a fault, and at "
        "`deliver` not again when a message is tried from the queue ([why](../../explanation/policy-decisions.md)).",
        'require ["vnd.mtad.stage", "vnd.mtad.log", "environment", "variables"];\n\n'
        'stage "ehlo" {\n'
        '    log :level "warning" "somebody is here";\n'
        '    metric :labels ["listener", "${env.listener}"] "greetings_total";\n'
        "}\n",
    ),
    About(
        "vnd.mtad.score",
        ("vnd.mtad.score",),
        "ours",
        "Points that the stages of a session collect, each under a symbol; `${score}` is their sum.",
        'require ["variables", "environment", "vnd.mtad.stage", "vnd.mtad.score", "vnd.mtad.verdict"];\n\n'
        'stage "ehlo" {\n'
        '    if environment :matches "vnd.mtad.helo" "mx.*" { score "1.5" "HELO"; }\n'
        '    if score "ge" "1.5" { ereject "${score} points"; }\n'
        "}\n",
    ),
    About(
        "vnd.mtad.envelope",
        ("vnd.mtad.envelope",),
        "ours",
        "`setsender` takes another reverse-path in place of the client's, `setrcpt` another address in place of the "
        "recipient's. `addrcpt` sends the message to one more address, of which the sender is told what `:notify` and "
        "`:orcpt` ask (RFC 3461), and nothing with `:hidden`; `delrcpt` sends nothing to the recipient that the stage "
        "or the loop is at. `setsender :srs` puts the reverse-path under a domain of ours; the test `srs` is true of "
        "addresses that it has made ([forwarding](../../how-to/forward-mail.md)). `setsender :verp` sends the message "
        "to each recipient from a path that names it: `news+ann=example.com@example.org` for `ann@example.com` "
        "([how](../sieve.md#changing-the-message-and-its-envelope)).",
        'require ["envelope", "vnd.mtad.stage", "vnd.mtad.envelope"];\n\n'
        'stage "mail" {\n    setsender "bounces@example.org";\n}\n'
        'stage "rcpt" {\n'
        '    if envelope "to" "team@example.org" {\n'
        '        delrcpt;\n        addrcpt "ann@example.org";\n        addrcpt "bob@example.org";\n'
        "    }\n"
        "}\n"
        'stage "data" {\n    addrcpt :hidden "archive@example.org";\n}\n',
    ),
    About(
        "vnd.mtad.sign",
        ("vnd.mtad.sign",),
        "ours",
        "Chooses what signs the message: the key of this domain and selector, of those in `dkim.keys`; at `deliver` it "
        "is signed for a recipient, where `data` has named no key. `:headers` are the fields signed beside From. "
        "`seal` seals what we send on (ARC, RFC 8617), as a forwarder does. **This version has the language and not "
        'the seal**: where it stands the stage ends for now, unless it says `:onerror "continue"`.',
        'require ["vnd.mtad.stage", "vnd.mtad.sign"];\n\n'
        'stage "data" {\n'
        '    seal :onerror "continue" :domain "example.org" :selector "s1";\n'
        '    sign :domain "example.org" :selector "s1";\n'
        "}\n",
    ),
    About(
        "vnd.mtad.lookup",
        ("vnd.mtad.lookup",),
        "ours",
        "Questions to [maps](../maps.md): those of `mtad.toml`, those that stand in the policy itself, and those that "
        "policies set by `mapset`, for all sessions and on both nodes (`map :kept`). `validrcpt` "
        'is true of a recipient that `"map:recipients"` has, `validsender` of a reverse-path whose domain takes mail, '
        "as DNS says (the null one is valid). That a recipient is not there at its next hop needs no question: RCPT is "
        "passed on while the client asks.",
        'require ["variables", "envelope", "vnd.mtad.lookup", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'map "moved" ["rr@acme.example rr@new.example"];\n'
        'map :kept "asked-for";\n\n'
        'stage "rcpt" {\n'
        '    mapset :expire 86400 "map:asked-for" "${envelope.to}" "${envelope.from}";\n'
        '    if lookup :into "new" "map:moved" "${envelope.to}" { ereject "551 5.1.6 Write to ${new}"; }\n'
        "}\n",
    ),
    About(
        "vnd.mtad.mailauth",
        ("vnd.mtad.mailauth",),
        "ours; RFC 8601 for the results",
        "[Who sent a message](../sieve.md#who-sent-a-message), by SPF (`:helo`: of the name that the client gave "
        "itself), DKIM, DMARC (`:policy`: what the author's domain asks for) and ARC. **This version has the language "
        "and not the methods**: none of them is available, which a policy can ask for, and a dialog or a test file "
        "says what they find. `authresults` adds an Authentication-Results field with what is known, and takes out "
        "those that the message brought in our name.",
        'require ["vnd.mtad.mailauth", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        "    authresults;\n"
        '    if dmarc "unavailable" { accept; }\n'
        '    if allof (dmarc "fail", dmarc :policy "reject") { ereject :enhanced "5.7.1" "Your domain wants it so"; }\n'
        "}\n",
    ),
    About(
        "vnd.mtad.service",
        ("vnd.mtad.service",),
        "ours",
        "[What other programs say](../sieve.md#what-other-programs-say): a milter, whose refusal is one; a policy "
        "service of Postfix, whose action's first word is compared (`:into` has the rest); a scanner, whose findings "
        "`spamtest`, `virustest`, `${scan.spam}` and `${scan.virus}` hold. **This version has the language and not the "
        "services**: none is available, which a policy can ask for, and a dialog or a test file says what they answer. "
        "`spamscale` and `virusscale` read what another scanner has written into the message, or the score.",
        'require ["spamtestplus", "virustest", "relational", "comparator-i;ascii-numeric", "vnd.mtad.service",\n'
        '         "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'spamscale :header "X-Spam-Score" "15";\n'
        'virusscale "X-Virus-Status" 5 "infected";\n\n'
        'stage "rcpt" {\n'
        '    if policy "greyd" ["DEFER", "DEFER_IF_PERMIT"] { tempfail "Later"; }\n'
        "}\n\n"
        'stage "data" {\n'
        '    scan :onerror "continue" "rspamd";\n'
        '    if virustest "5" { ereject "A virus"; }\n'
        '    if spamtest :percent :value "ge" :comparator "i;ascii-numeric" "60" { ereject "Spam"; }\n'
        "}\n",
    ),
    About(
        "vnd.dovecot.execute",
        ("vnd.dovecot.execute",),
        "Pigeonhole",
        "[Programs of yours](../sieve.md#programs): one is run while the client waits, with these arguments; it reads "
        "the string of `:input`, with `:pipe` the message (at data), or nothing. The test is true where it ends with "
        "status 0, and `:output` has what it then wrote; the command goes on whatever the status. One that cannot be "
        'run or is killed ends the stage for now, unless `:onerror "continue"` (of a test `"true"`, `"false"`) says '
        "otherwise.",
        'require ["variables", "vnd.dovecot.execute", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if not execute :pipe :output "why" "look-at" "all" { ereject "Not here"; }\n'
        "}\n",
    ),
    About(
        "vnd.dovecot.filter",
        ("vnd.dovecot.filter",),
        "Pigeonhole",
        "[Programs of yours](../sieve.md#programs): what the program writes takes the message's place. The test is "
        "true where it did; a program that ends with another status than 0 leaves the message as it was. One that "
        'cannot be run, is killed or writes no message ends the stage for now, unless `:onerror "continue"` (of a test '
        '`"true"`, `"false"`) says otherwise.',
        'require ["vnd.dovecot.filter", "vnd.mtad.stage", "vnd.mtad.queue"];\n\n'
        'stage "data" {\n'
        '    if not filter "disarm" ["attachments", "links"] { hold :reason "It was not disarmed"; }\n'
        "}\n",
    ),
    About(
        "vnd.mtad.dns",
        ("vnd.mtad.dns",),
        "ours",
        "Questions to the [DNS](../dns.md).",
        'require ["vnd.mtad.dns", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "connect" {\n    if dnsbl "zen.example.org" "127.0.0.2" { ereject "You are listed"; }\n}\n',
    ),
    About(
        "vnd.mtad.limits",
        ("vnd.mtad.limits",),
        "ours",
        "[Limits](../limits.md): how often something may happen, how much at a time, and who is to come again.",
        'require ["variables", "environment", "vnd.mtad.limits", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "connect" {\n'
        '    if concurrency 20 { tempfail :code 421 "Too many sessions at a time"; }\n'
        '    if ratelimit 60 60 { tempfail :code 421 :disconnect "Too many connections"; }\n}\n\n'
        'stage "mail" {\n'
        '    if ratelimit :key "${env.auth_user}" 500 3600 { tempfail "500 messages an hour, no more"; }\n}\n\n'
        'stage "rcpt" {\n'
        '    if environment "vnd.mtad.auth-user" "" {\n'
        '        if greylist { tempfail :code 450 "Greylisted, come again in five minutes"; }\n    }\n}\n',
    ),
)
