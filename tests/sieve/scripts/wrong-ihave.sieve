require "ihave";
if anyof (ihave "nothing", not true) { snow; }
if allof (ihave "fileinto", true) { hail; }
if not allof (ihave "nothing", true) { frost; }
if not true { sleet; }
