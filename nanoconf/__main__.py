"""``python -m nanoconf`` is the command ``nanoconf``."""

import sys

from nanoconf.cli.main import main

sys.exit(main())
