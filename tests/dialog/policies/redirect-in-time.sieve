require ["redirect-deliverby", "envelope", "copy", "vnd.mtad.stage"];

stage "rcpt" {
    if envelope :localpart "to" "pager" { redirect :bytimerelative 300 :bymode "return" "cell@example.net"; }
    if envelope :localpart "to" "staff" { redirect :copy :bytimerelative 60 :bytrace "log@example.net"; }
    if envelope :localpart "to" "boss" { redirect "deputy@example.net"; }
}

stage "data" {
    if header :contains "subject" "to one" { redirect :bytimerelative 90 "one@example.net"; }
}
