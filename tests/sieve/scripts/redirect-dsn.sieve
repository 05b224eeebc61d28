require "redirect-dsn";

redirect :notify "SUCCESS,FAILURE" :ret "FULL" "other@example.net";
