# Services that cannot be asked, and scales that measure nothing.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
spamscale "0";
spamscale "many";
spamscale :header "a b" "10";
stage "mail" {
    setsender :srs "no domain";
    setsender :srs "ü.example";
    setsender :verp "";
    setsender :verp "no address";
}
stage "data" {
    foreachrcpt { milter "a"; }
    milter "a b";
    if policy :attr "Colour=red" "a" "b" { }
    if policy :attr "colour" "a" "b" { }
    if policy :attr ["a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b", "a=b"] "a" "b" { }
    sign :domain "a.example" :headers "a b";
}
