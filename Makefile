# make demo   the main job on simulated forgeries: images, shards, training, table
# make test   format, lint, types and the quick tests (make test-all: the slow ones too)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
IMAGES := data/simulated
PACKED := data/packed/simulated1
RUN := runs/demo

.PHONY: demo test test-all check format clean

demo: $(VENV)/.runtime
	@echo '== 1/4 simulate: face images with the traces of 20 forgery methods'
	$(BIN)/python -m input_pipeline.simulate --out $(IMAGES)
	@echo '== 2/4 pack: images to TFRecord shards'
	$(BIN)/python -m input_pipeline.pack --meta $(IMAGES)/Protocol1_openset_fake_meta.csv --size 64 --out $(PACKED)
	@echo '== 3/4 train CPL, 4/4 restore the best checkpoint and evaluate it'
	$(BIN)/python main.py --config=configs/cpl.py:simulated1 --workdir=$(RUN)

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-all: check
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

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
