require ["environment", "variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup"];

stage "connect" {
    if environment :matches "remote-ip" "*" {
        if lookup :into "why" :matches "map:clients" "${1}" "bad*" { ereject :log "${why}" "Go away"; }
    }
}
