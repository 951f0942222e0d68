"""``python -m clova_studio`` is the command ``clova-studio``."""

import sys

from clova_studio._cli import main

if __name__ == "__main__":
    sys.exit(main())
