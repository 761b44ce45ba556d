"""``python -m tests.sim``: run many seeds, or replay one."""

import sys

from tests.sim.run import main

sys.exit(main(sys.argv[1:]))
