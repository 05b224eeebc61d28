require "ihave";
if ihave "vnd.nobody" { moonshine :loud "x"; } else { discard; }
