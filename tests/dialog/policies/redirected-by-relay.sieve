require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "rcpt" {
    if envelope :domain "to" "backup.example" {
        redirect "new@elsewhere.example";
        accept :relay;
    }
    redirect "new@elsewhere.example";
}
