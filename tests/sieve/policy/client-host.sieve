require ["vnd.mtad.stage", "vnd.mtad.verdict", "environment", "relational", "comparator-i;ascii-numeric"];
stage "connect" {
    if environment "remote-host" "mail.there.example" { accept :text "known"; }
    if environment :comparator "i;ascii-numeric" :count "eq" "remote-host" "0" { accept :text "nameless"; }
    if environment :comparator "i;ascii-numeric" :count "eq" "remote-host" "1" { accept :text "another"; }
}
stage "ehlo" {
    if environment "remote-host" "" { accept :text "nameless"; }
}
