"""The plan of a packing: its shards, and the space that it needs."""

import pytest

from helpers.imagesets import write_set
from input_pipeline import meta, pack, plan
from input_pipeline.data_card import Card
from input_pipeline.errors import UserError


def plan_of(csv, options):
  return plan.make_plan(meta.read_meta(csv), Card(), options)


@pytest.mark.parametrize(
  ('shards', 'sizes'), [(5, [5, 5, 5, 5, 4]), (99, [1] * 24), (None, [24])]
)
def test_shards_are_even_and_complete(tmp_path, shards, sizes):
  made = plan_of(write_set(tmp_path), pack.Options(size=16, shards=shards))
  dealt = list(plan.deal_rows(made, 'train', 'folder'))
  assert [len(shard.rows) for shard in dealt] == sizes
  numbers = [row.number for shard in dealt for row in shard.rows]
  assert sorted(numbers) == list(range(24))
  last = len(sizes) - 1
  assert dealt[-1].path == (
    f'folder/owdfa-train.tfrecord-{last:05d}-of-{len(sizes):05d}'
  )


@pytest.mark.parametrize(
  'options',
  [
    pack.Options(size=16),
    pack.Options(size=16, format='png'),
    pack.Options(size=16, format='jpeg', quality=100),
    pack.Options(size=24),
  ],
)
def test_the_estimated_space_is_enough(tmp_path, options):
  csv = write_set(tmp_path, per_class=60)
  estimate = plan.estimated_bytes(plan_of(csv, options))
  pack.pack(csv, tmp_path / 'out', options, workers=1)
  size = sum(path.stat().st_size for path in (tmp_path / 'out').iterdir())
  assert size < estimate < 20 * size


@pytest.mark.parametrize('name', ['novel-2', 'Novel-1.3', 'none of these '])
def test_a_class_is_not_called_as_tables_call_other_images(
  tmp_path, name, monkeypatch, capsys
):
  csv, out = write_set(tmp_path), tmp_path / 'out'
  csv.write_text(csv.read_text().replace(',m2,', f',{name},'))
  options = pack.Options(size=16)
  with pytest.raises(UserError, match=f"label 2 is called '{name}' .* another"):
    pack.pack(csv, out, options, workers=1)
  with monkeypatch.context() as earlier:
    earlier.setattr(plan, 'why_taken', lambda name: '')
    pack.pack(csv, out, options, workers=1)
  # What an earlier version packed stays in use.
  assert pack.pack(csv, out, options, workers=1).classes[2].name == name
  assert 'packed already' in capsys.readouterr().out
