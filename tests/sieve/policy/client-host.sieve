require ["variables", "vnd.mtad.stage", "vnd.mtad.verdict", "environment", "relational", "comparator-i;ascii-numeric"];
stage "connect" {
    if environment "remote-host" "mail.there.example" { accept :text "known"; }
    if environment :comparator "i;ascii-numeric" :count "eq" "remote-host" "0" { accept :text "nameless"; }
    if environment :comparator "i;ascii-numeric" :count "eq" "remote-host" "1" { accept :text "another"; }
}
stage "ehlo" {
    if environment "remote-host" "" { accept :text "nameless"; }
}
stage "data" {
    if ip :local "198.51.100.0/24" { accept :text "here"; }
    if ip :name "${env.helo}" ["192.0.2.0/24", "2001:db8::/32"] { accept :text "named"; }
    if ip "203.0.113.0/24" { accept :text "there"; }
}
