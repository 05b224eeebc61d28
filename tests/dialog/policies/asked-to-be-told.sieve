require ["envelope", "envelope-dsn", "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "mail" {
    if envelope "ret" "FULL" {
        ereject :enhanced "5.7.1" "We return no contents";
    }
}

stage "rcpt" {
    if allof (envelope "notify" "SUCCESS", not envelope :matches "orcpt" "rfc822;*@example.net") {
        ereject :enhanced "5.7.1" "We tell of success only who asks in our own name";
    }
}
