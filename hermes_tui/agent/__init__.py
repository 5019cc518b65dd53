"""One conversation and the turns run against it."""
