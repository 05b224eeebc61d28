# Numbers that are too small or too large.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
stage "connect" {
    delay 0;
    delay 61;
    ereject :code 600 "no";
    ereject :code 499 "no";
    ereject :code 421 "no";
    ereject :enhanced "4.7.1" "no";
    tempfail :code 550 "no";
    tempfail :code 450 "450 4.2.0 no";
    log :level "loud" "no";
}
stage "deliver" {
    queue :after 0;
    queue :after 31536001;
    queue :transient :after 5;
    retry :attempts 0;
    retry :expire 0;
    retry :intervals "0";
    retry :intervals "99999999999";
    retry :intervals "soon";
    retry :delaydsn 31536001;
}
