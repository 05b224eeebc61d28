"""What the reference says of the capabilities that standards define: a table of texts and examples."""

from __future__ import annotations

from mtad.sieve.reference_table import About

STANDARD = (
    About(
        "base",
        ("",),
        "RFC 5228",
        "The language itself. In a stage `keep` and the end of the script go on with the built-in default of the "
        "stage; `discard` ends it, and at `deliver` drops what one recipient was to get, also in the queue. `redirect` "
        "sends the message to another address instead of the recipient that the stage or the loop is at, of all of "
        "them where it stands in `data` alone. The tests of a message are legal where there is one.",
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
        "redirect-deliverby",
        ("redirect-deliverby",),
        "RFC 6009",
        "By when a message that is redirected is to be delivered, in place of what the sender has said: "
        "`:bytimerelative` in so many seconds, `:bytimeabsolute` at a moment of RFC 3339, with its zone. `:bymode` is "
        'what is done with what is late: "notify" tells the sender and tries on, and is meant where nothing is said, '
        '"return" gives it up; `:bytrace` tells the sender of relays. It is then [as if the sender had asked for '
        "it](../smtp.md#mail-with-a-time-to-be-delivered-by), for this recipient alone: with `return` a next hop that "
        "does not offer DELIVERBY gets nothing.",
        'require ["redirect-deliverby", "copy", "envelope", "vnd.mtad.stage"];\n\n'
        'stage "rcpt" {\n'
        '    if envelope :localpart "to" "postmaster" {\n'
        '        redirect :copy :bytimerelative 600 :bymode "return" "cell@example.net";\n'
        "    }\n"
        "}\n",
    ),
    About(
        "envelope",
        ("envelope", "envelope-dsn", "envelope-deliverby"),
        "RFC 5228 §5.4, RFC 6009",
        'The parts are "from" (the reverse-path, "" for bounces), "to" and, which the RFC does not have, "auth": who '
        "authenticated. Each is legal in the stages in which it is known. With `variables`, `${envelope.from}`, "
        "`${envelope.to.domain}` and their like hold the same, where there is one. `envelope-dsn` adds what the sender "
        'asks to be told: "ret" and "envid" from `mail` on, "notify" and "orcpt" at `rcpt`. `envelope-deliverby` adds '
        'by when it is to be delivered (RFC 2852), from `mail` to `data` where the sender has said: "bytimeabsolute", '
        'such as "2026-03-01T23:40:05+01:00" (in another zone with `:zone "+0000"`), "bytimerelative", how many '
        'seconds are left, "bymode", "N" or "R", and "bytrace", "T" or not there.',
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
)
