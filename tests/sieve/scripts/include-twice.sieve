require ["include", "variables"];
if string :matches "1-2" "*-*" { }
include "forgets";
include "forgets";
if not string "${1}${2}" "12" { discard; }
