"""Sandboxes in the cloud that are paid for while they are awake."""
