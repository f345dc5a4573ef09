"""The picture of a run: what it reads, and what it draws."""

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from owdfa_jax.evaluation import evaluate, overview, overview_data
from owdfa_jax.evaluation.overview_picture import (
  KNOWN,
  NOVEL,
  TEXT,
  draw_matrix,
  draw_overview,
  source_colour,
)

pytestmark = pytest.mark.usefixtures('quick_compile')


def make_overview(num_sources, *, has_heap=False):
  rng = np.random.default_rng(0)
  names = [f'Source-{n}' for n in range(num_sources)]
  return overview_data.Overview(
    sources=names,
    examples=rng.integers(0, 256, (num_sources, 32, 32, 3), np.uint8),
    outputs=names,
    share=np.eye(num_sources),
    num_known_sources=2,
    num_known_outputs=2,
    has_heap=has_heap,
    figure='All ACC 100.0',
  )


def decode(png):
  return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_command_draws_an_evaluated_run(trained, tmp_path, capsys):
  evaluate.evaluate(trained)
  path = tmp_path / 'overview.png'
  overview.main([f'--workdir={trained.workdir}', f'--out={path}'])
  assert decode(path.read_bytes()).shape[1] == 1660
  assert f'written: {path}' in capsys.readouterr().out


def test_overview_has_the_share_of_each_source_in_each_output(trained):
  report = evaluate.evaluate(trained)
  found = overview_data.read_overview(trained.workdir)
  assert found.sources == ['m0', 'm1', 'm2', 'm3']
  assert found.num_known_sources == 2
  assert found.examples.shape == (4, 32, 32, 3)
  np.testing.assert_allclose(found.share.sum(1), 1)
  assert found.outputs[: found.num_known_outputs] == [
    name for name in ('m0', 'm1') if name in found.outputs
  ]
  for row, entry in enumerate(report['per_class']):
    assert found.share[row].max() == pytest.approx(entry['predicted_share'])


def test_novel_outputs_follow_the_sources_they_match():
  per_class = [
    {'known': True, 'matched': 0},
    {'known': False, 'matched': 4},
    {'known': False, 'matched': 2},
    # Matched to an output that no image is in.
    {'known': False, 'matched': 5},
  ]
  lines = [{'output': str(output)} for output in (0, 3, 2, 4, 4)]
  assert overview_data.order_outputs(per_class, lines, 1) == [0, 4, 2, 3]


def test_the_last_stage_is_drawn(trained, tmp_path):
  evaluate.evaluate(trained)
  stages = tmp_path / 'run'
  for name in ('1-supervised', '3-round1', '2-cpl'):
    (stages / name).mkdir(parents=True)
    (stages / name / 'config.json').write_text('{}')
  for name in ('config.json', 'report.json', 'attributions.csv'):
    content = (trained.workdir / name).read_bytes()
    (stages / '3-round1' / name).write_bytes(content)
  overview.main([f'--workdir={stages}', f'--out={tmp_path / "stages.png"}'])
  overview.main([f'--workdir={trained.workdir}', f'--out={tmp_path / "x.png"}'])
  pictures = [(tmp_path / x).read_bytes() for x in ('stages.png', 'x.png')]
  assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
  ('files', 'error'),
  [((), 'no run: '), (('config.json',), 'no evaluation to draw')],
)
def test_run_without_evaluation_is_an_error(tmp_path, capsys, files, error):
  for name in files:
    (tmp_path / name).write_text('{}')
  with pytest.raises(SystemExit) as stopped:
    overview.main([f'--workdir={tmp_path}', f'--out={tmp_path}/x.png'])
  assert stopped.value.code == 1
  assert error in capsys.readouterr().err


@pytest.mark.parametrize(
  'content, reason',
  [
    ('{"all_acc": NaN}', 'NaN is not a finite number'),
    ('{"all_acc": ', 'Expecting value'),
    ('[]', 'not an object'),
    ('{}', 'files that do not match'),
    ('{"num_without_truth": 0, "per_class": 5}', 'files that do not match'),
  ],
)
def test_damaged_report_is_one_line(trained, tmp_path, capsys, content, reason):
  evaluate.evaluate(trained)
  for name in 'config.json', 'attributions.csv':
    (tmp_path / name).write_bytes((trained.workdir / name).read_bytes())
  (tmp_path / 'report.json').write_text(content)
  with pytest.raises(SystemExit):
    overview.main([f'--workdir={tmp_path}', f'--out={tmp_path}/x.png'])
  (line,) = capsys.readouterr().err.splitlines()
  assert reason in line and '`owdfa eval`' in line


def test_evaluation_without_images_is_one_line(trained, tmp_path, capsys):
  evaluate.evaluate(trained)
  for name in 'config.json', 'report.json':
    (tmp_path / name).write_bytes((trained.workdir / name).read_bytes())
  (tmp_path / 'attributions.csv').write_text('')
  with pytest.raises(SystemExit):
    overview.main([f'--workdir={tmp_path}', f'--out={tmp_path}/x.png'])
  (line,) = capsys.readouterr().err.splitlines()
  assert 'no test image to draw' in line


@pytest.mark.parametrize('num_sources', [3, 41])
def test_picture_fits_few_and_many_sources(num_sources):
  image = decode(draw_overview(make_overview(num_sources)))
  assert image.shape[1] == 1660
  # Nothing touches the edge of the picture.
  for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
    assert (edge == 255).all()


def test_every_share_that_is_tinted_has_a_number():
  found = make_overview(4)
  found.share[3] = [0.0, 0.004, 0.04, 0.956]
  axes = Figure().add_subplot()
  draw_matrix(axes, found, 0.3)
  assert [text.get_text() for text in axes.texts] == [
    *('100', '100', '100'),
    *('4', '96'),
  ]


def test_row_of_images_without_a_true_class_has_a_colour_of_its_own():
  found = make_overview(4, has_heap=True)
  assert [source_colour(found, n) for n in range(4)] == [
    KNOWN,
    KNOWN,
    NOVEL,
    TEXT,
  ]
  assert decode(draw_overview(found)).shape[1] == 1660


def test_picture_has_a_palette_and_keeps_its_colours():
  png = draw_overview(make_overview(3))
  # Colour type 3 of the PNG header: 256 colours at most.
  assert png[25] == 3
  blue, vermilion = (0xB2, 0x72, 0x00), (0x00, 0x4E, 0xC0)
  image = decode(png).astype(int)
  for colour in (blue, vermilion):
    assert (abs(image - colour).max(-1) < 12).any()
