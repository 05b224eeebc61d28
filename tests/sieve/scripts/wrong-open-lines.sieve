text:
open
