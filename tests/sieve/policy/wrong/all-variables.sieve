# Variables that are none.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
stage "rcpt" {
    set "a" "${nowhere.b}";
    set "a" "${envelope.nope}";
    set "a" "${envelope.from.nope}";
    set "a" "${envelope.from.domain.b}";
    set "a" "${global.b.c}";
    set "global.b.c" "d";
    set "nowhere.b" "d";
    set "txn.a.b" "d";
    set "score" "d";
    set "a" "${033}";
    set "a" "${100}";
    set "a" "${unicode:110000}";
    set "a" "${unicode:D800}";
    set "a" "${unicode:DFFF}";
    if environment "${a}" "b" { }
    if dns "srv" "a.example" "b" { }
    if dnsbl "list" "127.0.0.2" { }
    if score "above" "1" { }
    score "1.2345" "A";
}
