"""Programs of the operator's: those in one folder, which policies run by their names."""
