"""``python -m kinema``: the command line, for what starts modules, as torchrun does."""

from kinema.cli import main

if __name__ == "__main__":
    main()
