require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "auth" { accept :relay; }
stage "mail" {
    if envelope "from" "news@client.example" { setsender :verp "news@lists.example"; }
    else { setsender :verp "others@lists.example"; }
}
stage "rcpt" {
    if envelope :matches "to" "news+*=*@lists.example" {
        if envelope "from" "" { ereject :enhanced "5.1.1" "Nothing reaches ${1}@${2}"; }
        ereject :enhanced "5.7.1" "Bounces alone";
    }
}
