require ["variables", "envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.score"];

stage "connect" { set "session.seen" "connect"; score "1" "STRANGER"; }
stage "ehlo" { set "session.seen" "${session.seen} ehlo"; }
stage "mail" { set "txn.seen" "mail"; }
stage "rcpt" {
    set "txn.seen" "${txn.seen} rcpt";
    set "session.seen" "${session.seen} rcpt";
    score "1.5" "RCPT";
    if envelope "to" "nobody@example.net" { ereject "No such user"; }
}
stage "data" { ereject "${session.seen}, ${txn.seen}, ${score}"; }
