require ["duplicate", "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "data" {
    if header "subject" "refused" { if not duplicate { tempfail "later"; } }
    if duplicate { discard; }
    if duplicate :handle "events" :header "X-Event" { ereject "again"; }
}
