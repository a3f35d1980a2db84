"""`python -m hub.cli`: how the supervisor starts its roles."""

from hub.cli import main

if __name__ == "__main__":
    main()
