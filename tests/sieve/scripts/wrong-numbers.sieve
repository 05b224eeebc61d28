if size :over 9223372036854775808 { }
if size :over 8589934592G { }
if size :over 8796093022208M { }
if size :over 9007199254740992K { }
if size :over 99999999999999999999 { }
if size :over 1X { }
