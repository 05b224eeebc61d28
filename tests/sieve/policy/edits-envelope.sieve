require ["vnd.mtad.stage", "vnd.mtad.envelope", "editheader", "envelope"];
stage "mail" { if envelope :domain "from" "printer.example" { setsender "printers@here.example"; } }
stage "data" { deleteheader "X-Note"; addheader "X-Seen" "yes"; }
