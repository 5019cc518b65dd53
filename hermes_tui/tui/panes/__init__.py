"""The boxes beside the conversation."""
