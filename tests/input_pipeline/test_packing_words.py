"""What packing prints."""

from helpers.imagesets import write_set
from input_pipeline import pack


def test_the_directory_that_is_printed_can_be_typed(tmp_path, capsys):
  out = tmp_path / 'my faces'
  pack.pack(write_set(tmp_path), out, pack.Options(size=16), workers=1)
  last = capsys.readouterr().out.splitlines()[-1]
  assert last.endswith(f"train with --config.data.path='{out}'")


def test_images_that_become_smaller_or_larger_are_reported(tmp_path, capsys):
  csv = write_set(tmp_path, size=64)
  packed = pack.pack(csv, tmp_path / 'out', pack.Options(size=16), workers=1)
  sides = packed.description['original_sides']
  assert sides == {'median': 64, 'shrunk_share': 1.0}
  printed = capsys.readouterr().out
  assert (
    'shrunk: 100% of the images have a side of 32 pixels or more' in printed
  )
  assert '--crop opencv' in printed and 'a larger --size' in printed
  pack.pack(csv, tmp_path / 'other', pack.Options(size=48), workers=1)
  printed = capsys.readouterr().out
  assert 'shrunk' not in printed and 'enlarged' not in printed
  out = tmp_path / 'large'
  pack.pack(csv, out, pack.Options(size=96), workers=1)
  printed = capsys.readouterr().out
  assert 'enlarged: half of the images have a longer side of 64' in printed
  assert f'written: {out}; train with --config.data.path={out}' in printed
