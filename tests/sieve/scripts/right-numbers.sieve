if size :over 9223372036854775807 { }
if size :over 8589934591G { }
if size :over 8796093022207M { }
if size :over 9007199254740991k { }
if size :over 000000000000000000000000001 { discard; }
