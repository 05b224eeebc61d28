require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup"];

stage "rcpt" {
    if envelope :matches "to" "*@*" {
        if not lookup :into "home" "map:users" "${0}" {
            ereject :enhanced "5.1.1" "Nobody is called ${1} here";
        }
        if string "${home}" "moved" { ereject :code 551 :enhanced "5.1.6" "${1} has moved"; }
    }
}
