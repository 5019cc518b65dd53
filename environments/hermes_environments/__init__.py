"""Where commands run. Found through entry points; `environments/README.md` says how to add one."""
