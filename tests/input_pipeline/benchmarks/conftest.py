"""Miniature datasets of OW-DFA and OW-DFA++."""

import shutil

import pytest

from helpers import trees
from input_pipeline.benchmarks.aigc_classes import read_aigc_classes


@pytest.fixture(scope='session')
def owdfa_datasets(tmp_path_factory):
  """The folder of the six datasets; tests must not change it."""
  root = trees.write_owdfa(tmp_path_factory.mktemp('datasets'))
  return trees.write_df3(root, [entry.folder for entry in read_aigc_classes()])


@pytest.fixture
def copied_datasets(owdfa_datasets, tmp_path):
  """A copy of the datasets that a test may change."""
  return shutil.copytree(owdfa_datasets, tmp_path / 'datasets')
