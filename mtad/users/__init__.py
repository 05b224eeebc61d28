"""Who may submit mail: the users file, and the mechanisms by which its users show who they are."""
