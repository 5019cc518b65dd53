"""Values, ports and the agent loop; no I/O."""
