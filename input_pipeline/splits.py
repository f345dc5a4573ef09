"""Splits rows into training and test by the benchmark's released rule."""

import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.meta import DROPPED, LABELLED, UNLABELLED, Meta

# The tags that take part, by the names of the released code.
MODS = {
  'all': (LABELLED, UNLABELLED),
  'labeled': (LABELLED,),
  'unlabeled': (UNLABELLED,),
}


def released_split(
  label: np.ndarray,
  tag: np.ndarray,
  image_source: np.ndarray,
  *,
  mod: str = 'all',
  ratio: float = 0.8,
  seed: int = 2000,
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the released split, row for row and in the released order.

  A share `ratio` of each group of rows with the same source and label is drawn
  for training. Groups are taken in the order of sources, then labels, and each
  has a new generator with the same seed.

  Args:
    label: int [N].
    tag: int [N], 1 labelled, 2 unlabelled, 0 dropped.
    image_source: str [N].
    mod: 'all' (tags 1 and 2), 'labeled' or 'unlabeled'.
    ratio: the training share.
    seed: the seed of NumPy's legacy generator.

  Returns:
    The rows of the training and of the test split, int64. Training rows are in
    the order drawn, group by group, and test rows in file order.
  """
  kept = np.isin(tag, MODS[mod])
  drawn = []
  # Loops and generators as in the released code: published results depend on
  # these very rows.
  for source in sorted(set(image_source[kept].tolist())):
    of_source = kept & (image_source == source)
    for value in np.unique(label[of_source]):
      group = np.flatnonzero(of_source & (label == value))
      size = int(round(ratio * len(group)))  # half to even, like the release
      generator = np.random.RandomState(seed)
      drawn.append(group[generator.choice(len(group), size, replace=False)])
  train = np.concatenate(drawn) if drawn else np.zeros(0, np.int64)
  rest = kept.copy()
  rest[train] = False
  return train.astype(np.int64), np.flatnonzero(rest).astype(np.int64)


def split_rows(
  meta: Meta, *, ratio: float = 0.8, seed: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
  """Splits the rows of a meta CSV that are not dropped.

  The `split` column decides if there is one, and rows keep the order of the
  file. Otherwise the released rule decides.

  Args:
    meta: the meta CSV.
    ratio: the training share of the released rule.
    seed: the seed of the released rule.

  Returns:
    The rows of the training and of the test split, int64.

  Raises:
    UserError: a split is empty.
  """
  if meta.split is None:
    train, test = released_split(
      meta.label, meta.tag, meta.image_source, ratio=ratio, seed=seed
    )
  else:
    kept = meta.tag != DROPPED
    train = np.flatnonzero(kept & (meta.split == 'train'))
    test = np.flatnonzero(kept & (meta.split == 'test'))
  for name, rows in (('train', train), ('test', test)):
    if not len(rows):
      raise UserError(
        f'empty split: {meta.path} has no row for the {name} split; add images '
        'or change --ratio'
      )
  return train, test
