require ["vnd.mtad.stage", "vnd.mtad.log"];
stage "rcpt" { metric "shared"; metric :set 1 "shared"; }
