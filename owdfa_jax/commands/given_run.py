"""Finds the folder of a run where a command line has it without its flag."""

from collections.abc import Sequence

from owdfa_jax.training.recorded_config import holds_run


def run_among(words: Sequence[str]) -> str:
  """Returns the first word that is the folder of a run, or ''.

  Args:
    words: the arguments. The value of --out does not count.
  """
  before = ''
  for word in words:
    if not word.startswith('-') and before != '--out' and holds_run(word):
      return word
    before = word
  return ''
