if true {
  keep; "open
