require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.score", "vnd.mtad.log", "variables", "environment", "envelope"];
stage "connect" {
    log "score ${score}";
    set "session.from" "${env.remote_ip}";
    if ip "198.51.100.0/24" { score "2.5" "DIALUP"; }
}
stage "ehlo" {
    if not environment :contains "vnd.mtad.helo" "." { score "1.5" "HELO"; }
}
stage "mail" { set "txn.sender" "${envelope.from.domain}"; score "-1" "KNOWN"; }
stage "rcpt" {
    if score "ge" "3" { ereject "${score} from ${session.from}"; }
    if score :symbol "HELO" "gt" "0" { accept :text "helo of ${txn.sender}"; }
}
