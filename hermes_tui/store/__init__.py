"""Sessions, messages and search in one SQLite file."""
