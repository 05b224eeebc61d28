require ["variables", "envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.score",
         "vnd.mtad.queue"];

stage "connect" { set "session.seen" "connect"; score "1" "STRANGER"; }
stage "ehlo" { set "session.seen" "${session.seen} ehlo"; }
stage "mail" { set "txn.seen" "mail"; }
stage "rcpt" {
    set "txn.seen" "${txn.seen} rcpt";
    set "session.seen" "${session.seen} rcpt";
    score "1.5" "RCPT";
    if envelope "to" "slow@example.net" { set "rcpt.slow" "yes"; }
    if envelope "to" "nobody@example.net" { ereject "No such user"; }
}
stage "data" { if header "subject" "go" { accept; } ereject "${session.seen}, ${txn.seen}, ${score}"; }
stage "deliver" { if string "${rcpt.slow}" "yes" { queue; } }
