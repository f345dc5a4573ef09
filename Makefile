# The commands of this checkout; `make help` lists them. All of them install what
# they need into .venv first.

# The Python that makes .venv.
PYTHON ?= python3
# A shorter demo: make demo EPOCHS=1 IMAGES_PER_CLASS=40
EPOCHS ?= 11
IMAGES_PER_CLASS ?= 400

VENV := .venv
BIN := $(VENV)/bin
IMAGES := data/simulated
PACKED := data/packed/simulated1
RUN := runs/demo
# Our files, named: what else lies in the checkout changes no check.
CODE := main.py configs docs input_pipeline owdfa_jax tests

.PHONY: help demo test test-all check format clean

help:
	@echo 'make demo      simulate forgeries, pack, train Trace, evaluate: a table'
	@echo '               (shorter: make demo EPOCHS=1 IMAGES_PER_CLASS=40)'
	@echo '               (run make clean between the two)'
	@echo 'make test      check, then the tests that take seconds'
	@echo 'make test-all  check, then all tests'
	@echo 'make check     format, lint and types'
	@echo 'make format    formats the code and sorts its imports'
	@echo 'make clean     removes what the demo made'

demo: $(VENV)/.runtime
	@echo '== 1/3 simulate: face images with the traces of 20 forgery methods'
	$(BIN)/python -m input_pipeline.simulate --out $(IMAGES) --images_per_class $(IMAGES_PER_CLASS)
	@echo '== 2/3 pack: images to TFRecord shards'
	$(BIN)/python -m input_pipeline.pack --meta $(IMAGES)/Protocol1_openset_fake_meta.csv --size 64 --out $(PACKED)
	@echo '== 3/3 train Trace, find the clusters, evaluate'
	$(BIN)/python main.py --config=configs/trace.py:simulated1 --config.epochs=$(EPOCHS) --workdir=$(RUN)
	@echo
	@echo 'For comparison, recorded rows of the full demo (docs/results.md):'
	@sed -n '/^<!-- simulated1 -->/,/^<!-- .simulated1 -->/p' docs/results.md | grep -E '^. (row|---|spectrum|CPL|Trace) .'

test: check
	$(BIN)/python -m pytest --confcutdir=tests -n 2 --dist worksteal -m 'not slow'

test-all: check
	$(BIN)/python -m pytest --confcutdir=tests -n 2 --dist worksteal

check: $(VENV)/.test
	$(BIN)/ruff format --config pyproject.toml --check $(CODE)
	$(BIN)/ruff check --config pyproject.toml $(CODE)
	$(BIN)/pyrefly check

format: $(VENV)/.test
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

clean:
	rm -rf $(IMAGES) $(PACKED) $(RUN)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

$(VENV)/.test: tests/requirements.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --requirement tests/requirements.txt
	@touch $@
