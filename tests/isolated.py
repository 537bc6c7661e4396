"""Run against an installed wheel, outside the repository: it is whole, and does its work without Node."""

import shutil
from importlib.metadata import entry_points, requires, version
from importlib.resources import files

import numpy as np

import emb_opt_widgets as eow

assert shutil.which("node") is None, "Node is on the PATH"
assert eow.__version__ == version("emb_opt_widgets")
assert files("emb_opt_widgets").joinpath("py.typed").is_file()
assert any(entry.name == "emb-opt-widgets" for entry in entry_points(group="console_scripts"))
assert any(line.startswith("torch") for line in requires("emb_opt_widgets") or [])
for name in eow.__all__:
    getattr(eow, name)

library = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
search = eow.Search(library, lambda items: -np.linalg.norm(items.embeddings, axis=1), budget=60)
results = search.run(progress=False)
assert 0 < len(results) <= 60
assert "<svg" in search._repr_html_()
