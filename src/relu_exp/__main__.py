"""`python -m relu_exp` is the command `relu-exp`."""

import sys

from relu_exp.cli import main

sys.exit(main())
