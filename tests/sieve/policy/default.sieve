require "vnd.mtad.stage";
stage "rcpt" { }
