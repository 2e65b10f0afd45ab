# Everything from nothing but Python 3.11 or newer and the package registry. `make help` lists the commands.
.DEFAULT_GOAL := help
.PHONY: help demo examples check floors thorough families parity docs wheel lock audit gpu gpu-wheels format clean

OLD_ENOUGH = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	$$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
STUDY := studies/tiny
FLOORS := .floors/bin
FLOORS_PYTHON ?= $(shell for p in python3.11 python3.12 $(PYTHON); do \
	$$p -c '$(OLD_ENOUGH)' >/dev/null 2>&1 && echo $$p && break; done)
GPU_PYTHON ?= 3.12
GPU_OPTIONS ?=
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome
APT = env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20

A_PICTURE = import sys; from PIL import Image; from sklearn.datasets import load_digits; \
	Image.fromarray((load_digits().images[3] * 255 / 16).astype("uint8")).save(sys.argv[1])

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' $(MAKEFILE_LIST) | column -t -s @

demo: .venv/user ## install, then search, verdict, front, report and export of studies/tiny, and what its network sees in a picture
	$(BIN)/nas-attn search $(STUDY)
	$(BIN)/nas-attn verdict --quiet $(STUDY)
	$(BIN)/nas-attn front $(STUDY)
	$(BIN)/nas-attn report $(STUDY)
	$(BIN)/nas-attn export $(STUDY) $(STUDY)/exported
	@$(BIN)/python -c '$(A_PICTURE)' $(STUDY)/three.png
	$(BIN)/python $(STUDY)/exported/predict.py $(STUDY)/three.png

examples: .venv/developer ## minutes each: images where a study makes its own, search, front, verdict, report and export of every study in examples/
	set -e; nas=../../$(BIN)/nas-attn; for folder in examples/*/; do (cd $$folder; \
		test ! -e make_images.py || ../../$(BIN)/python make_images.py; \
		$$nas search .; $$nas front .; $$nas verdict .; $$nas report .; $$nas export . exported); done

check: .venv/developer .venv/browser ## format, lint, types, import plan, tests with doctests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist worksteal

floors: .floors/tests .venv/browser ## the tests in .floors, with the lowest version of every package that pyproject.toml allows
	$(FLOORS)/pytest --numprocesses 2 --dist worksteal

thorough: .venv/developer ## an hour: what takes too long for every change, such as every kind at every place of every built-in network
	NAS_ATTN_THOROUGH=1 $(BIN)/pytest --numprocesses 2 --dist worksteal $$(grep -lE 'import (THOROUGH|thorough)' -r tests --include='*.py')

families: .venv/developer ## many minutes: attention on a member of every family of timm and torchvision; docs/families.md
	NAS_ATTN_FAMILIES=1 $(BIN)/pytest tests/families

docs: .venv/developer ## the site in build/site: every page, and the public names from their docstrings; a warning is an error
	rm -rf build/site
	$(BIN)/sphinx-build -q -W --keep-going -c docs -d build/doctrees . build/site
	! grep -rE --include='*.html' '(src|srcset|data)="(https?:)?//|<link [^>]*href="(https?:)?//' build/site  # nothing is loaded from elsewhere
	@echo "build/site/index.html"

parity: .venv/developer ## half an hour: every kind and ten families, exported, in fresh processes as source, program and ONNX; docs/parity.md
	NAS_ATTN_PARITY=1 $(BIN)/pytest tests/parity

wheel: .venv/versions.txt ## build the wheel, install it into an empty environment, and run the demo from it, away from here
	rm -rf build/wheel
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/env
	build/wheel/env/bin/pip install --quiet --constraint .venv/versions.txt build/wheel/*.whl
	set -e; study=$$(mktemp -d); cp $(STUDY)/*.toml $$study; cd $$study; \
		$(MAKE) -f $(CURDIR)/Makefile -o .venv/user demo BIN=$(CURDIR)/build/wheel/env/bin STUDY=$$study

lock: .venv/bin/python ## requirements.txt anew: the newest versions that pyproject.toml allows, for every platform, with the digests of their files
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --output-file requirements.txt pyproject.toml

audit: .venv/bin/python ## known vulnerabilities of the pinned packages, by the package index's advisory service
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --requirement requirements.txt --no-deps --disable-pip

gpu: ## everything that one GPU can tell, in under 9 minutes, with the Python at hand; GPU_OPTIONS=--help lists options
	PYTHONPATH=.:benchmarks $(firstword $(wildcard $(BIN)/python) $(PYTHON)) -m gpu $(GPU_OPTIONS)

gpu-wheels: .venv/user ## gather the packages that a machine with a GPU lacks into .wheels, for its GPU_PYTHON (3.12)
	PYTHONPATH=.:benchmarks $(BIN)/python -m gpu.wheels --python $(GPU_PYTHON)

format: .venv/developer ## put the code into its one form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environments, the caches and what studies/tiny and examples have produced
	rm -rf .venv .floors .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	git clean -qfdX $(STUDY) examples

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv .venv

# requirements.txt says which files a package has; pip takes no other for whoever develops. A user needs a few of them.
.venv/versions.txt: .venv/bin/python requirements.txt
	sed -n 's/^\([a-z].*\) \\$$/\1/p' requirements.txt >$@

.venv/user: .venv/versions.txt pyproject.toml
	$(BIN)/pip install --quiet --constraint .venv/versions.txt --editable .
	@touch $@

.venv/developer: .venv/bin/python pyproject.toml requirements.txt
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@ .venv/user

# Lowest versions stand in pyproject.toml alone; what those packages need in turn is as new as they take it. Wheels of the
# lowest numpy are for Python 3.11 and 3.12.
.floors/tests: pyproject.toml
	@test -n "$(FLOORS_PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make FLOORS_PYTHON=/path/to/python3.11 floors" >&2; exit 2; }
	$(FLOORS_PYTHON) -m venv --clear .floors
	sed -n '/^\[project\]/,/^\[project.scripts\]/p' pyproject.toml | grep -oE '"[A-Za-z0-9-]+>=[0-9a-z.]+' | \
		sed 's/"//; s/>=/==/' >.floors/lowest.txt
	$(FLOORS)/pip install --quiet --constraint .floors/lowest.txt --editable '.[tests]'
	@touch $@

# Pages are opened in a Chromium. It is fetched once, where Debian's tools can; where not, what needs it is skipped.
.venv/browser: | .venv/bin/python
	@touch $@; for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	test "$$(id -u)" = 0 && sudo= || sudo="sudo -n"; \
	echo "No Chromium found: it is installed for the tests of pages"; \
	{ $$sudo true && command -v apt-get && $$sudo $(APT) update && \
		$$sudo $(APT) install --yes --no-install-recommends chromium; } >/dev/null 2>&1 || \
	echo "No Chromium can be had: the tests that open a page in a browser are skipped" >&2
