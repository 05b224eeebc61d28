"""The composition root: builds the rooms from the settings, and runs them in their processes."""
