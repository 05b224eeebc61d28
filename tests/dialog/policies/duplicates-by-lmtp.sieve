require ["duplicate", "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "data" {
    if duplicate { discard; }
}

stage "connect" {
    accept :relay;
}
