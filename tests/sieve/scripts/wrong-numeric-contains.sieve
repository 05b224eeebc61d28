require "comparator-i;ascii-numeric";
if header :comparator "i;ascii-numeric" :contains "a" "b" { keep; }
