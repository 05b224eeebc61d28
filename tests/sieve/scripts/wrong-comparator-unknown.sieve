if header :comparator "i;moon" "a" "b" { keep; }
