require ["spamtest", "relational", "comparator-i;ascii-numeric", "vnd.mtad.service", "vnd.mtad.stage",
         "vnd.mtad.verdict"];

stage "connect" {
    milter :onerror "continue" "connections";
}

stage "rcpt" {
    if policy "grey" "DEFER" { tempfail :enhanced "4.7.1" "Come back"; }
}

stage "data" {
    scan "spam";
    if spamtest :value "ge" :comparator "i;ascii-numeric" "6" { ereject "Spam"; }
    milter "signer";
}
