"""What may run, what may be shown."""
