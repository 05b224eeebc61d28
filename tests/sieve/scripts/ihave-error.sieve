require "ihave";
if not ihave "vnd.moon" { error "we need the moon"; }
