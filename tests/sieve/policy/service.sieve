require ["vnd.mtad.service", "vnd.mtad.score", "spamtest", "spamtestplus", "virustest", "relational", "variables",
         "comparator-i;ascii-numeric", "editheader", "envelope", "vnd.mtad.stage", "vnd.mtad.verdict"];

virusscale "X-Virus" 1 "clean";
virusscale "X-Virus" 4 ["infected", "found"];

stage "connect" {
    milter "first";
    accept :text "behind";
}

stage "mail" {
    milter :onerror "continue" "none";
    accept :text "behind";
}

stage "rcpt" {
    if policy "none" ["DEFER", "unavailable"] { tempfail "nobody asks"; }
    if policy :into "why" "grey" "defer" { tempfail "${why}"; }
    if policy :onerror "true" "other" "x" { ereject "other"; }
}

stage "data" {
    if exists "x-scan" { scan "scanner"; }
    if exists "x-try" { scan :onerror "continue" "none"; }
    if exists "x-points" { score "7.5" "POINTS"; }
    if virustest :value "ge" :comparator "i;ascii-numeric" "4" { ereject "virus ${scan.virus}"; }
    if virustest "1" { accept :text "clean"; }
    if spamtest :percent :value "gt" :comparator "i;ascii-numeric" "70" { ereject "spam ${scan.spam}"; }
    if not spamtest "0" { accept :text "tested"; }
}

spamscale "10";
