if header ["a" "b"] "c" { }
if header ["a",] "c" { }
if header [5] "c" { }
