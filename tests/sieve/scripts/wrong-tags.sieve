require "relational";
if header :is :contains :count "gt" "a" "b" { }
if header :value "above" "a" "b" { }
if header :comparator 5 "a" "b" { }
if header :comparator "i;octet" :comparator "i;octet" "a" "b" { }
if size 5 :over { }
keep true;
