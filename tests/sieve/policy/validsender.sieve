require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup"];
stage "mail" {
    if not validsender :onerror "tempfail" { ereject "nobody there"; }
}
stage "rcpt" {
    if validsender :onerror "true" { tempfail "somebody there"; }
}
