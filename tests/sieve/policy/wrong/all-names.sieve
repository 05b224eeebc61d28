# Names that are none.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
separators "";
separators "a";
map "twice" ["a b"];
map "twice" ["a b"];
map "empty" ["a", " "];
map :cidr "nets" ["here yes"];
stage "rcpt" {
    setrcpt "nobody";
    redirect "postmaster";
    redirect "ü@here.example";
    addrcpt "nobody";
    addrcpt :orcpt "nobody" "a@here.example";
    addrcpt :notify "SOON" "a@here.example";
    addrcpt :hidden :notify "NEVER" "a@here.example";
    if lookup "users" "a" { }
    if lookup "map:none" "a" { }
    if string :list "a" "map:none" { }
    if string :list "a" "${env.helo}" { }
    if lookup :onerror "maybe" "map:twice" "a" { }
    if lookup :each "map:twice" "a" { }
    if lookup :contains "map:twice" "a" { }
    if lookup "map:twice" { }
}
