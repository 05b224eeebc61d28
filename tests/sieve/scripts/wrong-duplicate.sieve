require "duplicate";
if duplicate :header "a b" { }
if duplicate :header "a" :uniqueid "b" { }
