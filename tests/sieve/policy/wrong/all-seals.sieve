require ["vnd.mtad.stage", "vnd.mtad.sign", "variables"];
stage "data" {
    seal :selector "s1";
    foreachrcpt { seal :domain "a"; }
    seal :domain "a" :onerror "false";
    seal :domain "a" :selector "${nowhere.s}";
}
