require ["environment", "variables", "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "auth" {
    if environment "vnd.mtad.auth-mech" "PLAIN" { ereject "${env.auth_user}: no passwords in ${env.auth_mech}"; }
}
