"""Full screens and pickers."""
