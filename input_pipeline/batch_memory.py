"""Lends memory for batches, and takes it back when nothing uses it any more.

The memory of a new array of some megabytes comes from the system, which clears
it page by page. For small images this takes a third of the time of decoding.
"""

import collections

import numpy as np

# As many batches wait at most; a steady reader needs one or two.
_MOST_SPARE = 4
# Rows begin 16 bytes after a multiple of 32: where they begin at one,
# libjpeg-turbo writes past the cache, which takes up to 40 % longer.
_ALIGNMENT, _OFFSET = 64, 16


class BatchMemory:
  """Lends uint8 arrays of one shape for each number of rows.

  Threads may share it. A copy in another process starts without memory.
  """

  def __init__(self, row_shape: tuple[int, ...]) -> None:
    """Keeps the shape; memory is taken when it is asked for.

    Args:
      row_shape: the shape of one row of the arrays.
    """
    self._row_shape = row_shape
    self._spare: collections.deque = collections.deque(maxlen=_MOST_SPARE)

  def take(self, num_rows: int) -> np.ndarray:
    """Returns an array of arbitrary content, uint8 [num_rows, *row_shape].

    Its memory is lent again as soon as the array, and all views of it, are
    gone.
    """
    shape = num_rows, *self._row_shape
    try:
      memory = self._spare.pop()
    except IndexError:
      memory = None
    if memory is None or memory.shape != shape:
      memory = _new(shape)
    return np.asarray(_Loan(memory, self._spare))

  def __getstate__(self) -> dict:
    return {'_row_shape': self._row_shape}

  def __setstate__(self, state: dict) -> None:
    self.__init__(state['_row_shape'])


class _Loan:
  """What an array of lent memory refers to, and its views with it.

  NumPy lets views of views refer to the array that owns the memory, if that
  is an array. So the owner must be another object for it to see the last view
  go.
  """

  def __init__(self, memory: np.ndarray, spare: collections.deque) -> None:
    self._memory, self._spare = memory, spare
    self.__array_interface__ = memory.__array_interface__

  def __del__(self) -> None:
    self._spare.append(self._memory)


def _new(shape: tuple[int, ...]) -> np.ndarray:
  size = int(np.prod(shape))
  whole = np.empty(size + 2 * _ALIGNMENT, np.uint8)
  start = (_OFFSET - whole.ctypes.data) % _ALIGNMENT
  return whole[start : start + size].reshape(shape)
