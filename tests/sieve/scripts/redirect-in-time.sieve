require ["redirect-deliverby", "copy", "date", "variables"];

redirect :copy :bytimerelative 600 "cell@example.com";
if currentdate :matches "date" "*" {
    set "date" "${1}";
}
if currentdate :matches "zone" "*" {
    set "zone" "${1}";
}
redirect :copy :bytimeabsolute "${date}T22:00:00${zone}" :bymode "return" :bytrace "pager@example.com";
