"""``python -m segmodel``: the command, for those who start modules, such as torchrun."""

from segfeat_cli.segmodel import main

if __name__ == "__main__":
    main()
