require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.envelope"];

stage "rcpt" {
    if envelope :matches "to" "*@old.example" { setrcpt "${1}@example.net"; }
    if envelope "to" ["sales@example.net", "info@example.net"] { setrcpt "ann@example.net"; }
    if envelope "to" "broken@example.net" { set "to" "no address"; setrcpt "${to}"; }
}
