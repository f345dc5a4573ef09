"""`owdfa_jax.load`: a run answers for images, from its folder alone."""

import dataclasses
import json
import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

import owdfa_jax
from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.picture_cases import RGB, saved
from helpers.video_files import write_video
from input_pipeline.errors import UserError
from input_pipeline.images import load_image
from input_pipeline.video_frames import read_frames
from owdfa_jax.commands import modes
from owdfa_jax.commands.recorded_run import check_recorded
from owdfa_jax.evaluation.new_images import find_new_images, list_new_images
from owdfa_jax.evaluation.seen_sources import ensure_sources
from owdfa_jax.experiment import build_experiment
from owdfa_jax.inference.answers import COLUMNS
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.prepare import prepare_run
from owdfa_jax.inference.run import TrainedRun

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def moved(trained, tmp_path_factory):
  """A copy of a run in another place, whose data is gone."""
  folder = tmp_path_factory.mktemp('moved') / 'run'
  shutil.copytree(trained.workdir, folder)
  (inputs,) = check_recorded(str(folder), 'eval', {})
  ensure_sources(build_experiment(inputs, trains=False))
  path = folder / 'config.json'
  settings = json.loads(path.read_text())
  settings['data']['path'] = '/gone'
  path.write_text(json.dumps(settings))
  return folder


@pytest.fixture(scope='module')
def run(moved):
  return owdfa_jax.load(moved)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """More images than a batch holds."""
  folder = tmp_path_factory.mktemp('photos')
  imagesets.write_set(folder, per_class=7, size=48)
  return sorted(folder.rglob('*.png'))


def test_the_names_are_those_of_the_training(run, trained):
  assert run.classes == ('m0', 'm1', 'novel-2', 'novel-3')
  assert run.num_known == 2 and run.image_size == 32
  assert f"run', step {run.checkpoint.name}, 2 known of 4" in repr(run)


def test_the_answers_are_those_of_the_command(run, moved, photos, tmp_path):
  answers = run.predict(photos)
  answers.to_csv(tmp_path / 'mine.csv')
  out = tmp_path / 'theirs.csv'
  inputs = run._experiment
  folder = str(photos[0].parents[1])
  assert attribute(inputs, list_new_images(folder), out=str(out)) == 0
  theirs = out.read_text().splitlines()
  # The last line is that of the meta CSV.
  assert (tmp_path / 'mine.csv').read_text().splitlines() == theirs[:-1]


def test_the_command_needs_the_folder_alone(
  moved, photos, tmp_path, monkeypatch
):
  """From another directory, with a run that was moved away from its data."""
  monkeypatch.chdir(tmp_path)
  workdir = os.path.relpath(moved)
  (inputs,) = check_recorded(workdir, 'attribute', {}, writes=False)
  scan = find_new_images([str(photos[0].parent / '*.png')])
  assert modes.run('attribute', inputs, scan, out='a.csv') == 0
  lines = read_csv(tmp_path / 'a.csv')
  assert [line['image'] for line in lines] == scan.images
  answers = owdfa_jax.load(workdir).predict(scan.images)
  assert [line['source'] for line in lines] == [x.source for x in answers]


def test_another_checkpoint_needs_the_data(moved, tmp_path):
  """Its sources have to be found first."""
  copy = tmp_path / 'run'
  shutil.copytree(moved, copy)
  (sources,) = copy.glob('sources-*.npz')
  sources.unlink()
  (inputs,) = check_recorded(str(copy), 'attribute', {})
  experiment = build_experiment(inputs, trains=False)
  with pytest.raises(UserError, match='sources-.* is missing .*: /gone .*DIR'):
    prepare_run(experiment)
  # Loading says why there is none, and works without.
  loaded = owdfa_jax.load(copy)
  assert loaded.unseen_threshold is None
  assert '/gone' in loaded.remark and 'no unseen scores' in loaded.remark


def test_an_answer_has_names_for_its_probabilities(run, photos):
  answer = run.predict(photos[0])[0]
  assert answer.image == str(photos[0])
  assert tuple(answer.probabilities) == run.classes
  assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-6)
  assert answer.source == run.classes[answer.output]
  assert answer.confidence == max(answer.probabilities.values())
  assert answer.probabilities[answer.second_choice] == answer.second_confidence
  assert answer.error is None


def test_files_pixels_and_pillow_images_get_the_same_answers(run, photos):
  pillow = [Image.open(path) for path in photos]
  pixels = [load_image(path) for path in photos]
  wanted = run.predict(photos)
  for images in (pillow, pixels, iter([*map(str, photos)])):
    found = run.predict(images)
    for one, other in zip(found, wanted, strict=True):
      np.testing.assert_array_equal(one.probability, other.probability)
      assert one.unseen_score == other.unseen_score
  assert [answer.image for answer in run.predict(pixels[:2])] == [
    'image 0',
    'image 1',
  ]


def test_what_cannot_be_read_is_a_row_with_its_error(run, photos, tmp_path):
  (tmp_path / 'a.png').write_bytes(saved(RGB, 'PNG')[:50])
  bad = [
    tmp_path / 'none.png',
    tmp_path / 'a.png',
    tmp_path,
    np.zeros((8, 8, 3)),
    np.zeros((8, 8, 4), np.uint8),
    np.zeros(8, np.uint8),
    np.zeros((0, 8), np.uint8),
    Image.new('RGB', (0, 8)),
    Image.new('F', (8, 8)),
  ]
  grey = np.full((9, 7), 3, np.uint8)
  answers = run.predict([photos[0], *bad, grey, Image.new('L', (7, 9), 3)])
  first, *unreadable, one, other = answers
  assert first.source
  assert np.array_equal(one.probability, other.probability)
  words = [
    'No such file',
    'a.png: ',
    'Is a directory',
    'an array of float64 [8, 8, 3]; give uint8',
    'an array of uint8 [8, 8, 4]',
    'an array of uint8 [8]',
    'an array of uint8 [0, 8]',
    'image 8: it has no pixels',
    'float32 values',
  ]
  for answer, text in zip(unreadable, words, strict=True):
    assert text in answer.error and answer.verdict is None
    assert answer.source is None and answer.probabilities == {}


def test_what_is_no_image_at_all_is_a_type_error(run, photos):
  with pytest.raises(
    TypeError, match='image 1 is of the type int; give a path'
  ):
    run.predict([photos[0], 3])


def test_images_are_read_as_answers_are_asked_for(run, photos):
  taken = []

  def endless():
    while True:
      taken.append(photos[len(taken) % len(photos)])
      yield taken[-1]

  answers = run.stream(endless())
  for _ in range(20):
    assert next(answers).source
  # Batches of 16: one was answered, others wait on the device and in memory.
  assert len(taken) < 100
  answers.close()


def test_the_order_and_the_batch_do_not_matter(run, moved, photos):
  wanted = run.predict(photos)
  other = owdfa_jax.load(moved, batch_size=8, num_threads=1)
  for one, answer in zip(
    other.predict(reversed(photos)), reversed(wanted), strict=True
  ):
    assert one.image == answer.image
    np.testing.assert_allclose(
      one.probability, answer.probability, rtol=1e-4, atol=1e-6
    )


def test_features(run, photos, tmp_path):
  found = run.features([photos[0], tmp_path / 'none.png', *photos[1:20]])
  assert found.dtype == np.float32 and len(found) == 21
  assert np.isnan(found[1]).all()
  assert np.isfinite(np.delete(found, 1, 0)).all()
  np.testing.assert_allclose(
    run.features(photos[0])[0], found[0], rtol=1e-4, atol=1e-5
  )
  assert len(run.features([])) == len(run.predict([])) == 0


def test_tiles_of_an_image_give_one_answer(trained, tmp_path, monkeypatch):
  arguments = trained.dataset.description['made']['arguments']
  monkeypatch.setitem(arguments, 'tiles', 5)
  run = TrainedRun(trained)
  large = imagesets.image(100, 1)
  small = imagesets.image(31, 2)
  # Five tiles each: a batch of 16 has three images.
  one, *_, bad = run.predict([large] * 4 + [small])
  assert one.source and 'smaller than a tile' in bad.error
  # Each tile by itself, at the places where the image is cut.
  (cut,) = run._cutter(None).of_pixels(large, 'large')
  tiles = cut.pictures
  assert len(tiles) == 5
  mean = run.features(large)[0]
  monkeypatch.setitem(arguments, 'tiles', 0)
  whole = TrainedRun(trained)
  product = np.prod([x.probability for x in whole.predict(tiles)], axis=0)
  np.testing.assert_allclose(
    one.probability, product / product.sum(), rtol=1e-3
  )
  wanted = whole.features(tiles).mean(0)
  np.testing.assert_allclose(mean, wanted, rtol=1e-4, atol=1e-5)


def test_an_image_whose_source_changes_in_a_view_is_inconclusive(run, photos):
  plain = run.predict(photos[:3])
  assert [answer.stability for answer in plain] == [None] * 3
  bad = '/nowhere.png'
  found = run.predict([*photos[:3], bad], stability=True)
  assert found[3].stability is None and found[3].verdict is None
  for answer, before in zip(found[:3], plain, strict=True):
    assert np.array_equal(answer.probability, before.probability)
    assert answer.source == before.source
    if answer.stability == 1:
      assert answer.verdict == before.verdict
    else:
      assert answer.verdict == 'inconclusive'


def test_a_number_of_nearest_images_that_cannot_be(run):
  with pytest.raises(UserError, match='out of range: nearest=-1'):
    run.predict(np.zeros((8, 8, 3), np.uint8), nearest=-1)


def test_answers_name_the_nearest_training_images(run, trained, photos):
  names = {*trained.dataset.train.ids(range(len(trained.dataset.train)))}
  answers = run.predict([*photos[:3], '/nowhere.png'])
  for answer in answers[:3]:
    assert len({*answer.nearest}) == 3 and names.issuperset(answer.nearest)
  assert answers[3].nearest is None
  (one,) = run.predict(photos[0], nearest=1)
  assert one.nearest == answers[0].nearest[:1]
  assert run.predict(photos[0], nearest=0)[0].nearest is None


def test_confidences_have_the_temperature_of_the_run(run, photos, monkeypatch):
  assert run.calibration is not None
  found = run.predict(photos[:5])
  rule = dataclasses.replace(run._rule, temperature=1.0)
  monkeypatch.setattr(run, '_rule', rule)
  plain = run.predict(photos[:5])
  for answer, before in zip(found, plain, strict=True):
    assert answer.output == before.output
    scaled = before.probability ** (1 / run.calibration.image)
    np.testing.assert_allclose(
      answer.probability, scaled / scaled.sum(), rtol=1e-3, atol=1e-6
    )


def test_a_video_gets_one_answer(run, photos, tmp_path):
  frames = [load_image(path) for path in photos[:3]]
  path = tmp_path / 'clip.mp4'
  write_video(path, frames)
  bad = tmp_path / 'bad.mp4'
  bad.write_bytes(b'0')
  image, video, unreadable = run.predict([photos[0], path, bad])
  assert image.frames is None and video.frames == 3
  assert 'unreadable video' in unreadable.error
  numbers, pixels = zip(*read_frames(str(path)), strict=True)
  seen = run.predict(pixels)
  assert tuple(answer.frame for answer in video.of_frames) == numbers
  for answer, alone in zip(video.of_frames, seen, strict=True):
    assert answer.image == str(path) and answer.source == alone.source
    assert answer.nearest == alone.nearest
    np.testing.assert_allclose(
      answer.probability, alone.probability, rtol=1e-4, atol=1e-6
    )
  mean = np.mean([np.log(answer.probability) for answer in seen], 0)
  product = np.exp(mean)
  np.testing.assert_allclose(
    video.probability, product / product.sum(), rtol=1e-3
  )
  assert video.unseen_score == pytest.approx(
    np.mean([answer.unseen_score for answer in seen]), rel=1e-3, abs=1e-3
  )


def test_a_batch_that_cannot_be_read(run):
  (answer,) = run.predict('/nowhere.png')
  assert answer.error and np.isnan(run.features('/nowhere.png')).all()


def test_a_table_for_pandas(run, photos, tmp_path, monkeypatch):
  answers = run.predict([*photos[:3], tmp_path / 'none.png'])
  table = answers.to_pandas()
  assert list(table.columns) == list(COLUMNS) and len(table) == 4
  assert table['source'][0] == answers[0].source
  assert table['source'].isna().tolist() == [False] * 3 + [True]
  assert len(answers[1:3].to_pandas()) == 2
  monkeypatch.setitem(sys.modules, 'pandas', None)
  with pytest.raises(ImportError, match='pip install pandas'):
    answers.to_pandas()


def test_nothing_is_printed_and_nothing_is_written(moved, photos, capfd):
  def files():
    return {path: path.stat().st_mtime_ns for path in moved.rglob('*') if path}

  before = files()
  capfd.readouterr()
  owdfa_jax.load(moved).predict(photos[:2])
  assert capfd.readouterr() == ('', '')
  assert files() == before


@pytest.mark.parametrize(
  'options, message',
  [
    ({'nearest': -1}, '^out of range: nearest=-1; give'),
    ({'max_pixels': 0}, '^out of range: max_pixels=0; give'),
  ],
)
def test_wrong_options_of_predict(run, photos, options, message):
  with pytest.raises(UserError, match=message):
    run.predict(photos[0], **options)
