require ["envelope", "ereject", "variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.log"];

stage "connect" { if ip "198.51.100.0/24" { accept :relay; } }
stage "rcpt" {
    delay 2;
    if envelope :localpart "to" "noattachments" { set "rcpt.wants" "text"; }
    monitor "new rule" { if envelope :localpart "to" "one" { ereject "Not yet"; } }
}
stage "data" {
    foreachrcpt {
        if string "${rcpt.wants}" "text" { ereject "Plain text only"; }
        if envelope :localpart "to" "later" { tempfail "Greylisted"; }
        if envelope :localpart "to" "drop" { discard :rcpt; }
    }
}
