require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.sign"];

stage "deliver" {
    if envelope :domain "to" "example.net" { sign :domain "example.net" :selector "s1"; }
    if envelope :localpart "to" "other" { sign :domain "other.example" :headers ["from", "to"]; }
}
stage "data" {
    if exists "x-list" { sign :domain "lists.example"; }
}
