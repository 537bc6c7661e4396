"""Run against an installed wheel, outside the repository: whole, light, working without Node and torch."""

import importlib.util
import shutil
from importlib.metadata import entry_points, requires, version
from importlib.resources import files

import numpy as np

import emb_opt_widgets as eow

assert shutil.which("node") is None, "Node is on the PATH"
assert eow.__version__ == version("emb_opt_widgets")
assert files("emb_opt_widgets").joinpath("py.typed").is_file()
assert any(entry.name == "emb-opt-widgets" for entry in entry_points(group="console_scripts"))
bare = [line for line in requires("emb_opt_widgets") or [] if "extra ==" not in line]
assert bare and not any(line.startswith("torch") for line in bare), bare
assert importlib.util.find_spec("torch") is None, "something without an extra brought torch"
assert importlib.util.find_spec("benchmarks") is None, "the benchmarks are in the wheel"
for name in eow.__all__:
    getattr(eow, name)

library = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
search = eow.Search(library, lambda items: -np.linalg.norm(items.embeddings, axis=1), budget=60)
results = search.run(progress=False)
assert 0 < len(results) <= 60
assert "<svg" in search._repr_html_()
try:
    getattr(eow.training, "NegativeCache")  # noqa: B009
except eow.MissingDependencyError as error:
    assert "pip install 'emb_opt_widgets[training]'" in str(error), error
else:
    raise AssertionError("training without torch")
