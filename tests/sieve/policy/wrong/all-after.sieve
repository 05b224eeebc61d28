# What the queue stage may not say.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
stage "queue" {
    defer :after 0;
    defer :after 31536001;
    bounce :code 450 "no";
    bounce :code 600 "no";
    bounce :enhanced "4.0.0" "no";
    if outcome "colour" "red" { }
}
stage "data" {
    quarantine "";
    queue :transient;
    addheader "X Y" "z";
    deleteheader "X Y";
    deleteheader :count "gt" "X" "1";
    deleteheader;
    extracttext "a";
    foreverypart { break :name "none"; }
    sign :selector "a";
    authresults :id "a b";
}
