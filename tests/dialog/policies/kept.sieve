require ["variables", "ereject", "vnd.mtad.stage", "vnd.mtad.queue", "vnd.mtad.verdict"];

stage "data" {
    if header "x-spam" "yes" { quarantine :reason "flagged" "spam"; }
    if header "x-later" "yes" { queue; }
    if header "x-bad" "yes" { hold; ereject "No"; }
}
