"""Skills: procedures the agent wrote down."""
