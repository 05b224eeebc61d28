require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup", "extlists", "envelope"];
map "recipients" ["ann@here.example", "@all.example", "bob+x@here.example"];
map "words" ["a one,two three"];
stage "rcpt" {
    if not validrcpt { ereject "unknown"; }
    if lookup :each "map:words" "a" ["two", "four"] { accept :text "two"; }
}
