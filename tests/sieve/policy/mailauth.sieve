require ["vnd.mtad.mailauth", "relational", "editheader", "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "mail" {
    if spf :helo "unavailable" { accept :text "nobody looks"; }
    if spf :helo "fail" { ereject "helo"; }
    if spf ["fail", "softfail"] { ereject "sender"; }
}

stage "rcpt" {
    if spf :onerror "false" "pass" { accept :text "passed"; }
}

stage "data" {
    authresults :id "mx.here.example";
    if header "authentication-results" "mx.here.example; dkim=pass header.d=bank.example" { ereject "forged"; }
    if dkim :count "gt" "2" { ereject "many"; }
    if dkim :domain "bank.example" :selector "s1" "pass" { accept :text "signed"; }
    if allof (dmarc "fail", dmarc :policy "reject") { ereject "policy"; }
    if not arc "pass" { tempfail "chain"; }
}
