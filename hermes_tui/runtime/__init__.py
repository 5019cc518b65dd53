"""The composition root: everything a front end needs, opened once."""
