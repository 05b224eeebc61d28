require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup"];

stage "mail" {
    if lookup :onerror "false" "map:down" "a" { ereject "This map knows nobody"; }
}

stage "rcpt" {
    if envelope :matches "to" "*" {
        if not lookup "map:down" "${1}" { ereject :enhanced "5.1.1" "User unknown"; }
    }
}
