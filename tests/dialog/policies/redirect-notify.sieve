require ["redirect-dsn", "envelope", "vnd.mtad.stage"];

stage "rcpt" {
    if envelope :localpart "to" "staff" { redirect :notify "NEVER" "all@example.net"; }
    if envelope :localpart "to" "boss" { redirect "deputy@example.net"; }
}

stage "data" {
    if header :contains "subject" "to one" { redirect :notify "DELAY" "one@example.net"; }
}
