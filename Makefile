# `make demo` and `make test` are the two commands a person needs; both make the environment first.
# PYTHON=… chooses the interpreter, EXTRAS=… what is installed beside the package.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
EXTRAS ?= test
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BUILDING := .venv-build
BUILDING_STAMP := $(BUILDING)/.installed
PACKAGES := node_modules/.package-lock.json
BUNDLES := emb_opt_widgets/widgets/static/.built
BUNDLE_SOURCES := $(shell find js/shared js/widgets -type f ! -name '*.test.ts' 2>/dev/null) js/build.mjs
TORCH := torch==2.13.0
# without its pin of transformers: it runs with any
PEER := steering-vectors==0.12.2
WORKERS ?= 2

LAB_PACKAGES := js/lab/node_modules/.package-lock.json
LAB_SOURCES := $(shell find js/lab/src js/lab/style js/lab/schema js/shared -type f ! -name '*.test.ts' 2>/dev/null) js/lab/package.json js/lab/tsconfig.json
LABEXTENSION := emb_opt_widgets/labextension/package.json
LAB_INSTALLED := $(VENV)/share/jupyter/labextensions/emb_opt_widgets/package.json

export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup needs demo test check fix build bench lab notebooks soak e2e clean

help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) $(BUNDLES) ## make .venv with everything in it

needs:
	@command -v "$(PYTHON)" >/dev/null || { echo "make: there is no '$(PYTHON)': install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1): Python 3.10 or newer is needed; name one: make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "make: '$(PYTHON)' cannot make environments: install its venv package (Debian: apt install python3-venv)"; exit 1; }
	@command -v node >/dev/null || { echo "make: there is no 'node': install Node.js 20 or newer"; exit 1; }
	@node -e 'process.exit(Number(+process.versions.node.split(".")[0] < 20))' || { echo "make: 'node' is $$(node -v): Node.js 20 or newer is needed"; exit 1; }
	@command -v npm >/dev/null || { echo "make: there is no 'npm': install it (it comes with Node.js)"; exit 1; }

$(PACKAGES): package.json package-lock.json | needs
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(BUNDLES): $(BUNDLE_SOURCES) $(PACKAGES)
	npm run --silent build
	@touch $@

$(LAB_PACKAGES): js/lab/package.json js/lab/package-lock.json | needs
	npm ci --prefix js/lab --no-audit --no-fund --loglevel=error
	@touch $@

$(LABEXTENSION): $(LAB_SOURCES) $(LAB_PACKAGES) | $(BUILDING_STAMP)
	PATH="$(CURDIR)/$(BUILDING)/bin:$$PATH" npm run --silent --prefix js/lab build
	@touch $@

$(LAB_INSTALLED): $(LABEXTENSION) $(STAMP)
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

$(STAMP): pyproject.toml package.json | needs
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet -e ".[$(EXTRAS)]"
	$(if $(findstring test,$(EXTRAS)),$(BIN)/python -m pip install --quiet --no-deps "$(PEER)")
	@touch $@

$(BUILDING_STAMP): Makefile | needs
	test -x $(BUILDING)/bin/python || "$(PYTHON)" -m venv $(BUILDING)
	$(BUILDING)/bin/python -m pip install --quiet "build>=1.2" "jupyter_builder>=1.2,<2"
	@touch $@

demo: $(STAMP) ## a search on real data, with a progress bar and an HTML report in out/
	$(BIN)/emb-opt-widgets demo

test: $(STAMP) $(BUNDLES) ## all tests but those in a browser
	npm test --silent
	$(BIN)/python -m pytest -n $(WORKERS) --ignore tests/e2e $(ARGS)

check: $(STAMP) $(BUNDLES) $(LAB_PACKAGES) ## what a reviewer would run: lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npx tsc --noEmit
	npm run --silent --prefix js/lab check

fix: $(STAMP) ## mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: $(BUNDLES) $(LABEXTENSION) $(BUILDING_STAMP) ## the wheel and the source distribution, in dist/
	rm -rf dist
	$(BUILDING)/bin/python -m build --outdir dist

bench: $(STAMP) ## ratios against the peers, measured here and now
	$(BIN)/python -m benchmarks $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m benchmarks training)

lab: $(STAMP) $(BUNDLES) $(LAB_INSTALLED) ## JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

notebooks: $(STAMP) $(BUNDLES) ## run the notebooks in full, results in out/notebooks/
	EOW_NOTEBOOKS=full $(BIN)/python -m pytest tests/notebooks --timeout 1800 $(ARGS)

soak: $(STAMP) ## tests that take minutes: 200 random kills, items that kill their workers, 1,000 damaged files, 500 answers of chance
	$(BIN)/python -m pytest -m soak -s tests/soak $(ARGS)

e2e: $(STAMP) $(BUNDLES) $(LAB_INSTALLED) ## tests in a real browser, JupyterLab and kernel (they need Debian's chromium)
	$(BIN)/python -m pytest tests/e2e $(ARGS)

clean: ## remove what was built, and .venv
	rm -rf $(VENV) $(BUILDING) build dist out
