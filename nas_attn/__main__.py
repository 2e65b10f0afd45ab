"""`python -m nas_attn`: the command line, also where the package is not installed."""

from .cli import main

if __name__ == "__main__":
    main()
