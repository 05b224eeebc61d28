require ["vnd.mtad.stage", "vnd.mtad.envelope", "editheader", "envelope", "variables"];
stage "mail" {
    if envelope :domain "from" "printer.example" { setsender "printers@here.example"; }
    if anyof (envelope "from" "", envelope :domain "from" "list.example") { setsender :verp "news@here.example"; }
    if envelope :domain "from" "wrong.example" { setsender :verp "${envelope.from.domain}"; }
}
stage "data" { deleteheader "X-Note"; addheader "X-Seen" "yes"; }
