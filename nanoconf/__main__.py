"""Entry point of ``python -m nanoconf``, equivalent to the command ``nanoconf``."""

import sys

from nanoconf.cli.main import main

sys.exit(main())
