"""``python -m nanoconf`` is the command ``nanoconf``."""

import sys

from nanoconf.cli import main

sys.exit(main())
