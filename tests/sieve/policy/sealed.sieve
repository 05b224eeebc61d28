require ["vnd.mtad.stage", "vnd.mtad.sign", "vnd.mtad.verdict", "variables"];
stage "data" {
    if exists "x-forwarded" { seal :domain "here.example" :selector "${none}"; }
    seal :onerror "continue" :domain "here.example" :selector "s1";
    sign :domain "here.example";
}
stage "deliver" { seal :domain "here.example"; }
