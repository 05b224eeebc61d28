"""What earlier versions wrote and said, kept as it was: today's code must read it and be understood by them."""
