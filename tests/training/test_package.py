"""The package's names, and that asking for none of them loads no torch."""

from __future__ import annotations

import subprocess
import sys

from emb_opt_widgets import training


def test_names_are_there():
    assert all(getattr(training, name) is not None for name in training.__all__)
    assert set(training.__all__) <= set(dir(training))


def test_the_package_alone_loads_no_torch():
    code = "import emb_opt_widgets.training, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
