require ["include", "variables", "fileinto"];
global ["a", "b"];
set "a" "one";
set "global.b" "${global.a}${a}";
if string "${b}" "oneone" { fileinto "${global.b}"; }
