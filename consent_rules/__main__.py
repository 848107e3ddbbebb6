"""Start of `python -m consent_rules`."""

import sys

from consent_rules.tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
