require ["envelope", "editheader", "variables", "vnd.mtad.stage", "vnd.mtad.envelope", "vnd.mtad.verdict"];

stage "mail" {
    if envelope "from" "" { setsender "bounces@example.net"; }
    if envelope "from" "wrong@client.example" { set "to" "not an address"; setsender "${to}"; }
}
stage "data" {
    if header "subject" "refuse" { addheader "X-Refused" "yes"; ereject "No"; }
    deleteheader "X-Spam-Flag";
    addheader "X-Checked" "from ${envelope.from}";
    addheader :last "X-Last" "yes";
    if exists "x-spam-flag" { ereject "It is still there"; }
}
