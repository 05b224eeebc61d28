require ["duplicate", "variables", "fileinto"];
if duplicate :handle "a" :uniqueid "" { fileinto "never"; }
if duplicate :uniqueid "one" { fileinto "not yet"; }
if duplicate :header "X-None" { fileinto "never"; }
discard;
