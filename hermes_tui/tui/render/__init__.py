"""Pure functions from text to styled lines; no app, no widgets, no agent."""
