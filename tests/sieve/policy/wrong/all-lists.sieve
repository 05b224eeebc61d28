# Lists that are too long.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
stage "connect" {
    if dnsbl ["l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example", "l.example"] "127.0.0.2" { }
}
stage "rcpt" {
    redirect :ret "FULL" "a@here.example";
}
stage "deliver" {
    queue :priority 10;
    queue :priority 1 :after 5;
    queue :priority 1 :transient;
    queue :name "a b";
}
