"""Where commands run: execution environments behind `hermes_tui.core.environment`."""
