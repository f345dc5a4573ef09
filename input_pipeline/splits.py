"""Which rows train and which test: the benchmark's released 80/20 rule."""

import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.meta import DROPPED, LABELLED, UNLABELLED, Meta

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
  """The released split, row for row and in the released order.

  Within each (source, label), both sorted, a share `ratio` is drawn for
  training, every group from a generator freshly seeded with `seed`.

  Args:
    label: int [N].
    tag: int [N], 1 labelled, 2 unlabelled, 0 dropped.
    image_source: str [N].
    mod: the tags that take part: 'all' (1 and 2), 'labeled', 'unlabeled'.
    ratio: the training share.
    seed: of NumPy's legacy generator.

  Returns:
    (train, test): row numbers, int64; training rows as drawn, group after
    group, and the rest in file order.
  """
  kept = np.isin(tag, MODS[mod])
  drawn = []
  for source in sorted(set(image_source[kept].tolist())):
    of_source = kept & (image_source == source)
    for value in np.unique(label[of_source]):
      group = np.flatnonzero(of_source & (label == value))
      size = int(round(ratio * len(group)))  # half to even, as released
      generator = np.random.RandomState(seed)
      drawn.append(group[generator.choice(len(group), size, replace=False)])
  train = np.concatenate(drawn) if drawn else np.zeros(0, np.int64)
  rest = kept.copy()
  rest[train] = False
  return train.astype(np.int64), np.flatnonzero(rest).astype(np.int64)


def split_rows(
  meta: Meta, *, ratio: float = 0.8, seed: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
  """The (train, test) row numbers, int64, of the kept rows of a meta CSV.

  A `split` column decides where there is one (rows in file order); otherwise
  the released rule does.

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
        f'empty split: {meta.path} leaves no row to {name}; give more images '
        'or another ratio'
      )
  return train, test
