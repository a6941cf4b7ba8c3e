"""`python -m telldraw`: the command line."""

import sys

from telldraw.cli import main

sys.exit(main())
