"""Lent memory: shape, reuse once nothing refers to it, copies."""

import pickle

import numpy as np

from input_pipeline.batch_memory import BatchMemory


def address(array):
  return array.__array_interface__['data'][0]


def test_arrays_are_writeable_and_have_the_shape():
  array = BatchMemory((4, 5, 3)).take(2)
  array[:] = 7
  assert array.shape == (2, 4, 5, 3)
  assert array.dtype == np.uint8
  assert array.flags.c_contiguous


def test_memory_in_use_is_not_lent_again():
  memory = BatchMemory((64,))
  arrays = [memory.take(3) for _ in range(10)]
  for number, array in enumerate(arrays):
    array[:] = number
  assert [set(a.ravel().tolist()) for a in arrays] == [{i} for i in range(10)]


def test_memory_is_lent_again_when_the_array_is_gone():
  memory = BatchMemory((64,))
  array = memory.take(3)
  before = address(array)
  del array
  assert address(memory.take(3)) == before


def test_a_view_of_a_view_keeps_the_memory():
  memory = BatchMemory((64,))
  array = memory.take(3)
  array[:] = 5
  view = array[1:][:1].reshape(-1)
  del array
  memory.take(3)[:] = 9
  assert set(view.tolist()) == {5}
  del view
  assert memory.take(3)[0, 0] in (5, 9)


def test_another_number_of_rows_gets_other_memory():
  memory = BatchMemory((64,))
  del_me = memory.take(3)
  del del_me
  assert memory.take(5).shape == (5, 64)


def test_a_copy_has_no_memory_of_its_own():
  memory = BatchMemory((2**16,))
  array = memory.take(3)
  del array
  copied = pickle.dumps(memory)
  assert len(copied) < 1000
  assert pickle.loads(copied).take(2).shape == (2, 2**16)
