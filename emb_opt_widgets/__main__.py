"""`python -m emb_opt_widgets`."""

import sys

from emb_opt_widgets.cli import main

sys.exit(main())
