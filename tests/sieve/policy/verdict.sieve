require ["vnd.mtad.stage", "vnd.mtad.verdict", "environment", "envelope"];
stage "connect" {
    if ip "192.0.2.1" { accept :relay; }
    if ip "192.0.2.2" { ereject "no"; }
    if ip "192.0.2.3" { tempfail "later"; }
    if ip "192.0.2.4" { ereject :code 521 :enhanced "5.3.2" :log "noted" "never"; }
    if ip "192.0.2.5" { ereject "554 5.7.3 with its own codes"; }
    if ip "192.0.2.6" { ereject :disconnect "go"; }
    if ip "192.0.2.7" { delay 5; }
    if ip ["198.51.100.0/24", "2001:db8::/32"] { accept; ereject "not reached"; }
    if not ip "0.0.0.0/0" { tempfail :code 421 "by 4 alone"; }
}
stage "ehlo" {
    tempfail :ifaccept "not yet";
    if environment "vnd.mtad.helo" "bad" { ereject "bad name"; }
    if environment "vnd.mtad.helo" "good" { accept; }
}
stage "mail" {
    tempfail :ifreject "perhaps later";
    if envelope :domain "from" "bad.example" { ereject "bad sender"; }
}
stage "rcpt" {
    if envelope "to" "hole@here.example" { discard; }
    if envelope "to" "hi@here.example" { accept :text "Hello"; }
    if envelope :domain "to" "there.example" { accept :relay; }
    monitor "trial" { ereject "on trial"; }
}
stage "data" {
    if size :over 1K { ereject :code 552 :enhanced "5.3.4" "too much"; }
    foreachrcpt {
        if envelope "to" "no@here.example" { ereject "not you"; }
        if envelope "to" "hole@here.example" { discard :rcpt; }
    }
}
