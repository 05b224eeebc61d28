"""What the reference says of each capability beside its rows in the spec table: a table of texts and examples.

Each example is a whole script, which a test compiles and, where it waits for nothing, runs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """One page.

    capabilities   those that it is about; '' is the base language
    example        a policy, or (`is_plain`) a plain script
    """

    page: str
    capabilities: tuple[str, ...]
    source: str
    text: str
    example: str
    is_plain: bool = False


ARGUMENTS = {  # what the positional arguments are called, by the name of the command or test
    "addrcpt": ("address",),
    "addheader": ("field-name", "value"),
    "arc": ("results",),
    "address": ("header-list", "key-list"),
    "body": ("key-list",),
    "bounce": ("reason",),
    "concurrency": ("limit",),
    "currentdate": ("date-part", "key-list"),
    "date": ("header-name", "date-part", "key-list"),
    "defer": ("reason",),
    "delay": ("seconds",),
    "metric": ("name",),
    "deleteheader": ("field-name", "value-patterns"),
    "dkim": ("results",),
    "dmarc": ("key-list",),
    "dns": ("type", "name", "key-list"),
    "dnsbl": ("zones", "answers"),
    "envelope": ("envelope-part", "key-list"),
    "environment": ("item", "key-list"),
    "ereject": ("reason",),
    "error": ("message",),
    "exists": ("header-names",),
    "extracttext": ("variable",),
    "fileinto": ("mailbox",),
    "global": ("variables",),
    "header": ("header-names", "key-list"),
    "ihave": ("capabilities",),
    "include": ("name",),
    "ip": ("networks",),
    "iprev": ("results",),
    "log": ("text",),
    "lookup": ("map", "key", "values"),
    "map": ("name", "lines"),
    "mapset": ("map", "key", "value"),
    "milter": ("name",),
    "monitor": ("label",),
    "outcome": ("item", "key-list"),
    "policy": ("service", "actions"),
    "quarantine": ("name",),
    "ratelimit": ("limit", "seconds"),
    "redirect": ("address",),
    "reject": ("reason",),
    "require": ("capabilities",),
    "route": ("transport",),
    "scan": ("scanner",),
    "score": ("points", "symbol"),
    "score (a test)": ("relation", "points"),
    "separators": ("characters",),
    "set": ("name", "value"),
    "setrcpt": ("address",),
    "setsender": ("address",),
    "size": ("limit",),
    "spamscale": ("most",),
    "srs": ("address",),
    "spamtest": ("value",),
    "spf": ("results",),
    "stage": ("name",),
    "string": ("source", "key-list"),
    "tempfail": ("reason",),
    "valid_ext_list": ("list-names",),
    "virusscale": ("field-name", "level", "texts"),
    "virustest": ("value",),
}

ABOUT = (
    About(
        "base",
        ("",),
        "RFC 5228",
        "The language itself. In a stage `keep` and the end of the script go on with the built-in default of the "
        "stage; `discard` ends it. `redirect` sends the message to another address instead of the recipient that the "
        "stage or the loop is at, of all of them where it stands in `data` alone. The tests of a message are legal "
        "where there is one.",
        'require ["vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if anyof (not exists ["from", "date"], size :over 50M) {\n'
        '        ereject :enhanced "5.6.0" "That is no message";\n'
        '    } elsif allof (address :domain "from" "example.net", header :contains "subject" "frop") {\n'
        "        discard;\n"
        "    }\n"
        "}\n",
    ),
    About(
        "fileinto",
        ("fileinto",),
        "RFC 5228 §4.1",
        "Puts the message into a mailbox. A relay has none: only plain scripts have it, for tests.",
        'require "fileinto";\n\nif header :contains "subject" "frop" { fileinto "frops"; }\n',
        is_plain=True,
    ),
    About(
        "copy",
        ("copy",),
        "RFC 3894",
        "`:copy` lets an action leave the implicit keep as it is: who was named gets the message too.",
        'require ["copy", "envelope", "vnd.mtad.stage"];\n\n'
        'stage "rcpt" {\n'
        '    if envelope :localpart "to" "postmaster" { redirect :copy "archive@example.net"; }\n'
        "}\n",
    ),
    About(
        "redirect-dsn",
        ("redirect-dsn",),
        "RFC 6009",
        "Of what the sender is to be told of a message that is redirected, in place of what it has asked: `:notify` as "
        'RCPT has it, "NEVER" or a list of "SUCCESS", "FAILURE" and "DELAY". `:ret`, "FULL" or "HDRS", is how much of '
        "the message that returns; in a policy it cannot be said, for a message has one for all its recipients.",
        'require ["redirect-dsn", "envelope", "vnd.mtad.stage"];\n\n'
        'stage "rcpt" {\n'
        '    if envelope :localpart "to" "rr" { redirect :notify "NEVER" "all@example.net"; }\n'
        "}\n",
    ),
    About(
        "envelope",
        ("envelope", "envelope-dsn", "envelope-deliverby"),
        "RFC 5228 §5.4, RFC 6009",
        'The parts are "from" (the reverse-path, "" for bounces), "to" and, which the RFC does not have, "auth": who '
        "authenticated. Each is legal in the stages in which it is known. With `variables`, `${envelope.from}`, "
        "`${envelope.to.domain}` and their like hold the same, where there is one. `envelope-dsn` adds what the sender "
        'asks to be told: "ret" and "envid" from `mail` on, "notify" and "orcpt" at `rcpt`. `envelope-deliverby` has '
        '"bytimeabsolute", "bytimerelative", "bymode" and "bytrace"; DELIVERBY (RFC 2852) is not offered, so that none '
        "of them is ever there.",
        'require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "rcpt" {\n'
        '    if allof (envelope "from" "", envelope :localpart "to" ["news", "rr"]) {\n'
        '        ereject :enhanced "5.1.1" "Nothing is sent from there, so nothing bounces";\n'
        "    }\n"
        "}\n",
    ),
    About(
        "encoded-character",
        ("encoded-character",),
        "RFC 5228 §2.4.2.4",
        "`${hex: ...}` and `${unicode: ...}` in strings stand for octets and characters. They are read before "
        "variables are.",
        'require ["encoded-character", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if header :contains "subject" ["${unicode:24}${unicode:24}", "frop"] { ereject "No"; }\n'
        "}\n",
    ),
    About(
        "comparators",
        (
            "comparator-i;octet",
            "comparator-i;ascii-casemap",
            "comparator-i;ascii-numeric",
            "comparator-i;unicode-casemap",
        ),
        "RFC 4790, RFC 5051",
        "`:comparator` says how values are compared. Without it, A to Z and a to z are the same (`i;ascii-casemap`). "
        "`i;octet` compares exactly, `i;ascii-numeric` the number that a value begins with (one that begins "
        "with none "
        "is infinite), `i;unicode-casemap` all letters without their case, and takes compositions apart.",
        'require ["relational", "comparator-i;ascii-numeric", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if header :value "ge" :comparator "i;ascii-numeric" "x-score" "10" { ereject "Too much"; }\n'
        "}\n",
    ),
    About(
        "variables",
        ("variables",),
        "RFC 5229",
        "`${name}` stands for the value of a variable, `${1}` for what the first wildcard of the last successful "
        "`:matches` matched (or the first group of `:regex`), `${0}` for all of it. Of modifiers, those of case come "
        "first, `:length` last. What a value is too long for is cut.",
        'require ["variables", "envelope", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "rcpt" {\n'
        '    if envelope :matches "to" "*@acme.example" {\n'
        '        set :lower "name" "${1}";\n'
        '        if string "${name}" ["rr", "coyote"] { ereject "Write to ${name}@new.example"; }\n'
        "    }\n"
        "}\n",
    ),
    About(
        "relational",
        ("relational",),
        "RFC 5231",
        "`:value` compares in the order of the comparator, `:count` compares how many values there are. The "
        "relations "
        'are "gt", "ge", "lt", "le", "eq", "ne".',
        'require ["relational", "comparator-i;ascii-numeric", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if header :count "gt" :comparator "i;ascii-numeric" "received" ["1"] {\n'
        '        ereject :enhanced "5.4.6" "It goes in a circle";\n'
        "    }\n"
        "}\n",
    ),
    About(
        "subaddress",
        ("subaddress",),
        "RFC 5233",
        "`:user` is the local part up to the first `+` (or what `separators` of `vnd.mtad.stage` says), "
        "`:detail` what is behind it; "
        "an address without one has no detail.",
        'require ["envelope", "subaddress", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "rcpt" {\n'
        '    if envelope :detail "to" "list" { accept; }\n'
        "}\n",
    ),
    About(
        "environment",
        ("environment",),
        "RFC 5183",
        "[What is known of the session](../sieve.md#what-is-known-of-the-session). An item that begins with "
        "`vnd.mtad.` and that we do not know is an error; one "
        "of somebody else is never matched. With `variables`, `${env.remote_ip}` holds the same, and "
        "`${env.helo}` is "
        "`vnd.mtad.helo`.",
        'require ["environment", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "ehlo" {\n'
        '    if environment :matches "vnd.mtad.helo" ["localhost", "mx.*"] { ereject "That is not your name"; }\n'
        "}\n",
    ),
    About(
        "reject",
        ("reject", "ereject"),
        "RFC 5429",
        "In a stage both refuse, and are final ([verdicts](vnd.mtad.verdict.md) has their tags). In a plain script "
        "they are not, as the RFC has it.",
        'require ["ereject", "vnd.mtad.stage"];\n\nstage "data" {\n    ereject "We are closed";\n}\n',
    ),
    About(
        "ihave",
        ("ihave",),
        "RFC 5463",
        "Is true where all these capabilities are there, and opens them; where one is missing, what stands "
        "behind it is "
        "not even looked at. `error` ends the run as a fault does: at a stage with 451.",
        'require ["ihave", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if ihave "regex" {\n'
        '        if header :regex "subject" "fr[o0]p" { ereject "No frops"; }\n'
        '    } elsif header :contains "subject" "frop" { ereject "No frops"; }\n'
        "}\n",
    ),
    About(
        "include",
        ("include",),
        "RFC 6609",
        "Runs another script where it stands. In a policy that is `include/NAME.sieve` beside it, written as if it "
        "stood in the stage; `:personal` and `:global` are the same there. `:optional` makes nothing of one that is "
        "not there, `:once` of one that was run before. Each script has its own `require` and its own variables, but "
        "for those that it declares `global` (or writes `${global.name}`). `return` ends the included script.",
        'require ["include", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n    include :optional "exceptions";\n    ereject "We are closed";\n}\n',
    ),
    About(
        "date",
        ("date",),
        "RFC 5260 §4, §5",
        "The parts of a date are `year month day date julian hour minute second time iso8601 std11 zone weekday`. "
        "Without `:zone` and `:originalzone` it is that of the server's zone. In a Received field it is the "
        "date behind "
        "the last semicolon. `currentdate` is the same throughout a run; it is not legal where mail is routed.",
        'require ["date", "relational", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if date :zone "+0000" :value "lt" "date" "date" "2024-01-01" { ereject "That is old"; }\n'
        '    if currentdate "weekday" ["6"] { tempfail "Not on Saturdays"; }\n'
        "}\n",
    ),
    About(
        "index",
        ("index",),
        "RFC 5260 §6",
        "`:index` takes one of several fields of a name, counted from 1, with `:last` from the end.",
        'require ["index", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if header :index 1 :last :contains "received" "by b" { ereject "It began at b"; }\n'
        "}\n",
    ),
    About(
        "body",
        ("body",),
        "RFC 5173",
        "`:text`, which is also what is asked without a tag, is the text of all parts as a reader sees it, HTML "
        "without its tags; `:content` is the decoded content of parts of these types, `:raw` the body as it is. No "
        "wildcard of it is remembered.",
        'require ["body", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if body :content "text" :contains ["lottery", "inner"] { ereject "We do not play"; }\n'
        "}\n",
    ),
    About(
        "mime",
        ("mime", "foreverypart", "extracttext"),
        "RFC 5703",
        "`:mime` lets a header test read the message as an entity, `:anychild` also all entities in it; in "
        "`foreverypart`, which goes to each of them in turn, the one that the loop is at. `:type`, `:subtype`, "
        "`:contenttype` and `:param` read Content-Type and Content-Disposition. `extracttext` sets a variable to the "
        "text of the part.",
        'require ["mime", "foreverypart", "extracttext", "variables", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        "    foreverypart {\n"
        '        if header :mime :param "filename" :matches "content-disposition" ["*.exe", "*.scr"] {\n'
        '            ereject "Programs are not taken by mail";\n'
        "        }\n"
        '        extracttext :lower :first 100 "text";\n'
        '        if string :contains "${text}" "lottery" { break; }\n'
        "    }\n"
        "}\n",
    ),
    About(
        "editheader",
        ("editheader",),
        "RFC 5293",
        "What follows in the script sees the change. Received and Auto-Submitted stay, whatever is asked. A value "
        "becomes one line, is folded, and is encoded where it is no ASCII.",
        'require "editheader";\n\ndeleteheader :index 1 "x-spam";\naddheader :last "X-Checked" "yes";\n',
        is_plain=True,
    ),
    About(
        "regex",
        ("regex",),
        "draft-ietf-sieve-regex",
        "`:regex` finds expressions of RE2 anywhere in a value: extended ones as POSIX has them, the longest "
        "match, no "
        "back-references and no look-around. `set :quoteregex` (with `variables`) makes a text harmless in one.",
        'require ["regex", "variables", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'stage "data" {\n'
        '    if header :regex "subject" "fr[o0]p +([0-9]+)" { ereject "No frops, and not ${1}"; }\n'
        "}\n",
    ),
    About(
        "extlists",
        ("extlists",),
        "RFC 6134",
        "`:list` is true of what is a key of a map ([maps](../maps.md)).",
        'require ["envelope", "extlists", "vnd.mtad.lookup", "vnd.mtad.stage", "vnd.mtad.verdict"];\n\n'
        'map "partners" ["x.example yes"];\n\n'
        'stage "rcpt" {\n    if envelope :list :domain "from" "map:partners" { accept; }\n}\n',
    ),
    About(
        "duplicate",
        ("duplicate",),
        "RFC 7352",
        "Is true of what was seen before, by its Message-ID, another field or a text of one's own (`:uniqueid`). In a "
        "policy it is remembered when the message is accepted, with `:last` anew each time, by the "
        "[counters](../limits.md): on both nodes, for `:seconds`, or an eighth of them longer, 30 days at most; "
        "without counters nothing was seen. Who sends a message to two recipients may bring it twice, under one "
        "Message-ID: name them in `:uniqueid`.",
        'require ["duplicate", "variables", "envelope", "vnd.mtad.stage"];\n\n'
        'stage "data" {\n'
        '    if allof (exists "x-alarm", duplicate :handle "alarms" :header "X-Alarm" :seconds 3600) { discard; }\n'
        "}\n",
    ),
    About(
        "spamtest",
        ("spamtest", "spamtestplus", "virustest"),
        "RFC 5235",
        "What a scanner found: 0 not tested, 1 no spam to 10 spam, with `:percent` 0 to 100 and nothing where "
        "it was not "
        "tested; for viruses 1 none to 5 certainly one. In a policy it is what `scan` found, or what a scanner before "
        "us has written, by the scales of [vnd.mtad.service](vnd.mtad.service.md).",
        'require ["spamtest", "virustest", "relational", "comparator-i;ascii-numeric", "fileinto"];\n\n'
        'if anyof (spamtest :value "ge" :comparator "i;ascii-numeric" "6", virustest "5") { fileinto "spam"; }\n',
        is_plain=True,
    ),
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
        "attempts that follow, until it is said anew.",
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
