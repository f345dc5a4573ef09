"""Index streams: alternation, balance, whole walks, dependence on the seed."""

import concurrent.futures

import numpy as np
import pytest

from input_pipeline import sampling

NO_ROWS = np.empty(0, np.int32)


def made_up(seed=0, sizes=(7, 20, 3), unlabelled=41):
  """Returns labels and tags in random order, of 3 known and 2 novel classes."""
  label = np.concatenate([np.full(n, c) for c, n in enumerate(sizes)])
  tag = np.ones(len(label), np.int8)
  draws = np.random.RandomState(seed)
  label = np.append(label, draws.randint(0, len(sizes) + 2, unlabelled))
  tag = np.append(tag, np.full(unlabelled, 2, np.int8))
  order = draws.permutation(len(label))
  return label[order].astype(np.int32), tag[order]


def stream_of(label, tag, seed=3, supervision='open_world', held_out=NO_ROWS):
  revealed = (tag == 1) | (supervision == 'all')
  return sampling.make_stream(
    np.where(revealed, label, -1),
    tag == 2,
    seed=seed,
    supervision=supervision,
    held_out=held_out,
  )


def test_a_stream_walks_its_whole_list_before_repeating():
  stream = sampling.ShuffledStream(np.arange(10, 17), seed=1, stream=0)
  walks = stream.take(np.arange(7 * 50)).reshape(50, 7)
  assert (np.sort(walks, axis=1) == np.arange(10, 17)).all()
  assert len({tuple(walk) for walk in walks}) > 40
  # Over many walks every row comes first about equally often.
  first = np.bincount(stream.take(np.arange(0, 7 * 2000, 7)) - 10, minlength=7)
  assert np.abs(first - 2000 / 7).max() < 5 * np.sqrt(2000 / 7)


def test_the_row_at_a_position_does_not_depend_on_the_order_of_reading():
  label, tag = made_up()
  positions = np.random.RandomState(1).permutation(400)
  whole = stream_of(label, tag).take(np.arange(400))
  again = stream_of(label, tag)
  one_by_one = [again.take(np.array([p]))[0] for p in positions]
  np.testing.assert_array_equal(one_by_one, whole[positions])


def test_far_steps_are_addressed_directly():
  label, tag = made_up()
  far = stream_of(label, tag).take(np.arange(10**13, 10**13 + 8))
  np.testing.assert_array_equal(tag[far], [1, 2] * 4)


def test_the_seed_matters_and_streams_of_one_seed_differ():
  label, tag = made_up()
  a, b = (stream_of(label, tag, s).take(np.arange(200)) for s in (3, 4))
  assert (a != b).any()
  streams = [sampling.ShuffledStream(np.arange(50), 3, c) for c in (0, 1)]
  a, b = (stream.take(np.arange(50)) for stream in streams)
  assert (a != b).any()


@pytest.mark.golden
def test_the_released_samplers_properties_hold(golden):
  data = golden('sampler')
  label, tag = data['train_label'], data['train_tag']
  num_known, length = int(data['num_known']), int(data['epoch_len'])
  drawn = stream_of(label, tag).take(np.arange(6 * length))
  # One labelled, one unlabelled, and so on across epochs.
  np.testing.assert_array_equal(tag[drawn], np.tile([1, 2], 3 * length))
  # Each labelled draw goes to a class with the smallest count so far.
  counts = np.zeros(num_known, int)
  for c in label[drawn[::2]]:
    assert counts[c] == counts.min()
    counts[c] += 1
  # Each list is walked fully before it repeats.
  lists = [np.flatnonzero((tag == 1) & (label == c)) for c in range(num_known)]
  walks = [drawn[::2][label[drawn[::2]] == c] for c in range(num_known)]
  for rows, walked in [
    *zip(lists, walks, strict=True),
    (np.flatnonzero(tag == 2), drawn[1::2]),
  ]:
    whole = len(walked) // len(rows) * len(rows)
    assert whole
    for walk in walked[:whole].reshape(-1, len(rows)):
      np.testing.assert_array_equal(np.sort(walk), rows)
    assert len(set(walked[whole:])) == len(walked) - whole
  # As many labelled draws per class as the released sampler made, within 1.
  ours = np.bincount(label[drawn[: 3 * length : 2]], minlength=num_known)
  theirs = data['counts_after_3_epochs'][:num_known]
  assert np.abs(ours - theirs).max() <= 1


def test_the_labelled_mode_is_the_labelled_half_of_the_same_stream():
  label, tag = made_up()
  both = stream_of(label, tag).take(np.arange(600))
  half = stream_of(label, tag, supervision='labelled').take(np.arange(300))
  np.testing.assert_array_equal(half, both[::2])


def test_all_rows_mode_is_balanced_over_every_class():
  label, tag = made_up()
  drawn = stream_of(label, tag, supervision='all').take(np.arange(5 * 60))
  np.testing.assert_array_equal(np.bincount(label[drawn]), [60] * 5)
  assert set(drawn) == set(range(len(label)))


def test_held_out_rows_never_appear_and_depend_on_the_seed_alone():
  label, tag = made_up()
  held = sampling.draw_validation_rows(label, tag, 0.3, seed=5)
  # Classes of 7, 20 and 3 labelled rows: int(.3 n), at least one.
  np.testing.assert_array_equal(np.bincount(label[held]), [2, 6, 1])
  assert (tag[held] == 1).all() and (np.diff(held) > 0).all()
  np.testing.assert_array_equal(
    held, sampling.draw_validation_rows(label, tag, 0.3, seed=5)
  )
  other = sampling.draw_validation_rows(label, tag, 0.3, seed=6)
  assert len(other) == len(held) and set(other) != set(held)
  for supervision in ('open_world', 'labelled', 'all'):
    drawn = stream_of(label, tag, 5, supervision, held).take(np.arange(2000))
    assert not set(held) & set(drawn)
    missing = set(np.flatnonzero(tag == 1)) - set(held) - set(drawn)
    assert not missing


def test_holding_out_leaves_a_class_its_last_row():
  label, tag = np.array([0, 1, 1], np.int32), np.ones(3, np.int8)
  held = sampling.draw_validation_rows(label, tag, 0.99, seed=0)
  np.testing.assert_array_equal(label[held], [1])
  assert not len(sampling.draw_validation_rows(label, tag, 0.0, seed=0))


def test_a_process_takes_its_rows_of_every_global_batch():
  own = np.array([0, 1, 6, 7], np.int32)
  positions = sampling.batch_positions(2**33, 12, own)
  np.testing.assert_array_equal(positions, 2**33 * 12 + np.array([0, 1, 6, 7]))


def test_streams_refuse_wrong_arguments():
  with pytest.raises(ValueError, match='at least one row'):
    sampling.ShuffledStream(NO_ROWS, 0, 0)
  with pytest.raises(ValueError, match='Unknown supervision'):
    stream_of(*made_up(), supervision='none')


def test_an_order_is_that_of_a_new_generator():
  rows = np.arange(10, 30, dtype=np.int32)
  stream = sampling.ShuffledStream(rows, seed=3, stream=5)
  walk = 2**32 + 7
  taken = stream.take(walk * len(rows) + np.arange(len(rows)))
  draws = np.random.RandomState([3, 5, 7, 1])
  np.testing.assert_array_equal(taken, draws.permutation(rows))


def test_threads_draw_the_same_orders():
  rows = np.arange(50, dtype=np.int32)

  def draw(stream):
    walks = sampling.ShuffledStream(rows, seed=3, stream=stream)
    return walks.take(np.arange(2000)).tolist()

  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    together = list(pool.map(draw, range(8)))
  assert together == [draw(stream) for stream in range(8)]
