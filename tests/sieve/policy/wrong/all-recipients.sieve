# What is said of single recipients where there are several.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
stage "mail" {
    accept :text "${envelope.to}";
    accept :text "${env.rcpt_count}";
}
stage "data" {
    discard :rcpt;
    delrcpt;
    set "rcpt.a" "b";
    accept :text "${envelope.to}";
    set "txn.a" "${rcpt.a}";
    foreachrcpt {
        set "rcpt.a" "${envelope.to}";
        discard :rcpt;
        foreachrcpt { }
        hold;
        sign :domain "a.example";
        queue;
        addheader "X" "y";
    }
    monitor "a" { foreachrcpt { } }
}
