"""Measuring whether a skill helps: tasks, runs, grades, and what they show."""
