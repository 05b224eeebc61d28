if not not not not not not not not not not not not not not not not not not not not not not not not not not not not anyof (true) { discard; }
