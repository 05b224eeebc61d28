keep discard;
keep keep "a";
stop "a" "b"
