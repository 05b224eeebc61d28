"""What an operator may see and do while the program runs."""
