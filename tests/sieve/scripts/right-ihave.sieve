require "ihave";
if not ihave "nothing" { } else { stop; }
if anyof (ihave "nothing", true) { discard; }
if anyof (ihave "nothing", ihave "nowhere") { snow; }
if allof (true, ihave "nothing", frost) { snow; }
if not anyof (true, ihave "fileinto") { snow; }
if not not ihave "nothing" { snow; }
if not allof (ihave "fileinto", not ihave "nothing") { snow; }
if ihave ["fileinto", "copy"] { fileinto :copy "a"; }
