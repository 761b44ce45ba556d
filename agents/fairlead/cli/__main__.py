"""``python -m fairlead.cli``: the same as ``fairlead``."""

import sys

from fairlead.cli.main import main

sys.exit(main())
