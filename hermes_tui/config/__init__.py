"""Settings, paths and secrets."""
