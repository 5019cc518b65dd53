"""`python -m hermes_tui` is `hermes`."""

from hermes_tui.cli.main import main

if __name__ == "__main__":
    main()
