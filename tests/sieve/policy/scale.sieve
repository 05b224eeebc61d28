require ["vnd.mtad.stage", "vnd.mtad.verdict", "spamtest", "spamtestplus", "variables", "vnd.mtad.service"];
spamscale :header "X-Score" "10";
stage "data" {
    if spamtest :percent :matches "*" { accept :text "${1} percent"; }
}
