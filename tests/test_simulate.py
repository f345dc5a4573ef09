import collections
import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from input_pipeline.errors import UserError
from input_pipeline.simulate import __main__ as command
from input_pipeline.simulate import classes, resample, traces, write
from input_pipeline.simulate.capture import CAPTURES
from input_pipeline.simulate.faces import draw_face

FAKES = [row for row, c in enumerate(classes.CLASSES) if c.label_1 is not None]


def files_of(folder):
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }


def read_meta(folder, protocol):
  with open(folder / write.CSV_NAMES[protocol], newline='') as file:
    return list(csv.DictReader(file))


def row_of(method, source):
  [row] = [
    row
    for row, c in enumerate(classes.CLASSES)
    if (c.method, c.source) == (method, source)
  ]
  return row


@pytest.fixture(scope='module')
def small(tmp_path_factory):
  """A complete data set of 5 images a class, made in this process."""
  folder = tmp_path_factory.mktemp('simulate') / 'small'
  assert write.simulate(str(folder), 5, 32, 3, processes=1)
  return folder


@pytest.fixture(scope='module')
def fakes():
  """[20, 48, 64, 64, 3] uint8: Protocol 1 at the default size."""
  return np.stack(
    [
      [write.make_image(n, row, 64, 11, None) for n in range(48)]
      for row in FAKES
    ]
  )


def test_an_image_depends_on_seed_class_and_index_alone():
  row = row_of('FOMM', 'ForgeryNet')
  image = write.make_image(7, row, 48, 1, None)
  assert image.shape == (48, 48, 3) and image.dtype == np.uint8
  np.random.seed(0)
  np.testing.assert_array_equal(image, write.make_image(7, row, 48, 1, None))
  assert np.any(image != write.make_image(7, row, 48, 2, None))
  assert np.any(image != write.make_image(8, row, 48, 1, None))


def test_faces_of_the_same_index_differ_between_classes():
  a = write.make_image(0, row_of('Real', 'FF++'), 64, 0, None)
  b = write.make_image(0, row_of('Real', 'CelebDF'), 64, 0, None)
  assert np.abs(a.astype(int) - b).mean() > 10


def test_process_count_does_not_change_a_byte(small, tmp_path):
  assert write.simulate(str(tmp_path / 'two'), 5, 32, 3, processes=2)
  assert files_of(tmp_path / 'two') == files_of(small)


def test_layout_is_the_benchmarks(small):
  for entry in classes.CLASSES:
    folder = small / entry.forgery_type / entry.method / entry.source
    assert sorted(p.name for p in folder.iterdir()) == [
      f'{n:05d}.png' for n in range(5)
    ]
  assert cv2.imread(str(folder / '00000.png')).shape == (32, 32, 3)
  summary = json.loads((small / write.SUMMARY).read_text())
  assert summary['images'] == 110 and summary['seed'] == 3


@pytest.mark.parametrize('protocol, known, novel', [(1, 8, 12), (2, 9, 13)])
def test_meta_csv(small, protocol, known, novel):
  rows = read_meta(small, protocol)
  assert ','.join(rows[0]) == (
    'img_name,label,method,forgery_type,forgery_label,face_type,tag,code,'
    'image_source,img_path,compression,frame_idx'
  )
  assert all((small / row['img_path']).is_file() for row in rows)
  tags = collections.defaultdict(collections.Counter)
  names = collections.defaultdict(set)
  for row in rows:
    tags[int(row['label'])][int(row['tag'])] += 1
    names[int(row['label'])].add((row['method'], row['image_source']))
    assert (row['face_type'] == '1') == (row['forgery_type'] == 'RealFace')
  assert sorted(tags) == list(range(known + novel))
  assert all(len(pairs) == 1 for pairs in names.values())
  for label, counts in tags.items():  # int(5 * .75 + .5) = 4
    assert counts == ({1: 4, 2: 1} if label < known else {2: 4, 0: 1})


def test_labels_are_those_of_the_benchmark(small):
  labels = {
    (r['method'], r['image_source']): int(r['label'])
    for r in read_meta(small, 2)
  }
  assert labels['Real', 'FF++'] == 0 and labels['Real', 'CelebDF'] == 9
  for row in read_meta(small, 1):
    label = labels[row['method'], row['image_source']]
    assert int(row['label']) == (label - 1 if label < 9 else label - 2)
  known = {pair[0] for pair, label in labels.items() if 0 < label < 9}
  assert known == set(
    'Deepfakes DeepFaceLab Face2Face FOMM MaskGAN FaceAPP StyleGAN'
    ' CycleGAN'.split()
  )


def probe_accuracy(images):
  """Test accuracy of a linear probe on 8x8 thumbnails, [K, N, S, S, 3]."""
  thumbnails = np.array(
    [
      [cv2.resize(i, (8, 8), interpolation=cv2.INTER_AREA).ravel() for i in c]
      for c in images
    ],
    np.float64,
  )
  count = len(images[0]) * 3 // 4
  labels = np.arange(len(images))[:, None].repeat(len(images[0]), 1)
  probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3))
  probe.fit(thumbnails[:, :count].reshape(-1, 192), labels[:, :count].ravel())
  return probe.score(
    thumbnails[:, count:].reshape(-1, 192), labels[:, count:].ravel()
  )


def test_thumbnails_stay_under_twice_chance(fakes):
  assert probe_accuracy(fakes) < 2 / 20


def test_the_probe_would_notice_content_that_follows_the_class(fakes):
  shift = np.arange(20).reshape(20, 1, 1, 1, 1) * 4
  leaky = np.clip(fakes.astype(int) + shift * np.array((1, -1, 0)), 0, 255)
  assert probe_accuracy(leaky.astype(np.uint8)) > 2 / 20


@pytest.mark.parametrize('frequency', [4, 10, 13])
def test_zero_insertion_copies_the_spectrum(frequency):
  """A box at stride 2 weights frequency f and its copy at 1/2 - f by
  cos(pi f) and sin(pi f)."""
  size = 64
  wave = np.cos(2 * np.pi * frequency * np.arange(size) / size)
  image = np.broadcast_to(wave[None, :, None], (size, size, 3))
  made = resample.up_convolve(
    np.ascontiguousarray(image, np.float32), 2, classes.BOX
  )
  spectrum = np.abs(np.fft.rfft(made[size // 2, :, 0]))
  copy = spectrum[size // 2 - frequency] / spectrum[frequency]
  assert copy == pytest.approx(np.tan(np.pi * frequency / size), rel=1e-4)


@pytest.mark.parametrize('taps', [classes.BOX, classes.TENT, classes.FIR])
def test_even_kernels_keep_a_flat_picture_flat(taps):
  flat = np.full((33, 33, 3), 90, np.float32)
  np.testing.assert_allclose(
    resample.up_convolve(flat, 2, taps), flat, rtol=1e-5
  )


def test_uneven_overlap_leaves_a_checkerboard():
  flat = np.full((32, 32, 3), 100, np.float32)
  made = resample.up_convolve(flat, 2, (0.6, 1.0, 0.6))[:, :, 0]
  # Phase sums 1 and 1.2 of a kernel scaled by 2 / 2.2, in both directions.
  phases = np.array((1.0, 1.2)) * 2 / 2.2
  seen = {tuple(np.round(np.unique(made), 2))}
  expected = np.unique(np.round(100 * np.outer(phases, phases), 2))
  assert seen == {tuple(expected.astype(np.float32))}


def mean_spectrum(images):
  """Mean amplitude spectrum of the high-pass residual, [S, S]."""
  grey = images.astype(np.float32).mean(-1)
  residual = np.stack([i - cv2.medianBlur(i, 3) for i in grey])
  return np.abs(np.fft.fft2(residual)).mean(0)


def spectrum_against_genuine(method, source):
  """Mean spectrum of a class over that of genuine faces captured alike."""
  row = row_of(method, source)
  made = [write.make_image(n, row, 64, 11, None) for n in range(30)]
  genuine = []
  for n in range(30):
    rng = np.random.default_rng(n)
    genuine.append(CAPTURES[source].apply(draw_face(rng, 64).image, rng))
  return mean_spectrum(np.stack(made)) / mean_spectrum(np.stack(genuine))


@pytest.mark.parametrize(
  'method, source', [('CycleGAN', 'ForgeryNIR'), ('StyleGAN2', 'ForgeryNIR')]
)
def test_learned_taps_peak_at_half_the_sampling_rate(method, source):
  ratio = spectrum_against_genuine(method, source)
  assert ratio[0, 32] > 5 and ratio[32, 0] > 5
  assert ratio[0, 20:28].mean() < 1.5


def test_nearest_neighbour_copies_the_low_band_around_half_the_rate():
  ratio = spectrum_against_genuine('PGGAN', 'DFFD')
  copies = (ratio[0, 29:32].mean() + ratio[29:32, 0].mean()) / 2
  assert copies > 2 * ratio[16:24, 16:24].mean()


@pytest.mark.parametrize(
  'method, source', [('StyleGAN', 'DFFD'), ('StyleGAN2', 'ForgeryNet')]
)
def test_smooth_kernels_leave_too_little_of_the_fine_band(method, source):
  ratio = spectrum_against_genuine(method, source)
  assert ratio[20:30, 20:30].mean() < 0.5


@pytest.mark.parametrize(
  'entry',
  [classes.CLASSES[row] for row in FAKES],
  ids=lambda entry: f'{entry.method}-{entry.source}',
)
def test_a_forgery_changes_its_region_and_only_that(entry):
  face = draw_face(np.random.default_rng(5), 64)
  forged = entry.trace.apply(face, np.random.default_rng(6))
  change = np.abs(forged - face.image).mean(-1)
  assert forged.dtype == np.float32 and forged.shape == face.image.shape
  assert change.max() > 5
  corner = change[:6, :6].max()
  if entry.forgery_type == classes.SYNTHESIS:
    assert corner > 0.5
  else:
    assert corner < 1e-3


def test_unknown_region_is_an_error():
  face = draw_face(np.random.default_rng(0), 32)
  with pytest.raises(ValueError, match='elbow'):
    traces.region(face, 'elbow')


@pytest.fixture
def photos(tmp_path):
  """Three portraits, one in a subfolder, beside a file that is no image."""
  folder = tmp_path / 'photos'
  (folder / 'more').mkdir(parents=True)
  for number, name in enumerate(('a.jpg', 'b.PNG', 'more/c.png')):
    image = draw_face(np.random.default_rng(number), 160).image
    assert cv2.imwrite(str(folder / name), image.astype(np.uint8)[..., ::-1])
  (folder / 'broken.jpg').write_text('not an image')
  return folder


def test_photos_can_be_the_content(photos, tmp_path):
  out = tmp_path / 'out'
  assert write.simulate(str(out), 4, 32, 0, faces=str(photos), processes=1)
  assert len(read_meta(out, 2)) == 88
  assert not write.simulate(str(out), 4, 32, 0, faces=str(photos))
  (photos / 'b.PNG').unlink()
  with pytest.raises(UserError, match='faces='):
    write.simulate(str(out), 4, 32, 0, faces=str(photos))


def test_photos_are_cropped_around_the_face(photos):
  found = write.find_photos(str(photos))
  assert [path.rsplit('/', 1)[1] for path in found] == [
    'a.jpg',
    'b.PNG',
    'c.png',
  ]
  face = write.crop_face(np.random.default_rng(0), 64, found)
  assert face.image.shape == (64, 64, 3) and face.image.std() > 10
  assert 0.37 * 64 <= face.unit <= 0.45 * 64


def test_a_folder_without_images_is_an_error(tmp_path):
  with pytest.raises(UserError, match='no such folder'):
    write.simulate(str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path / 'none'))
  (tmp_path / 'broken.jpg').write_text('not an image')
  with pytest.raises(UserError, match='no readable image'):
    write.simulate(str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path))


def test_a_photo_that_cannot_be_decoded_is_named(tmp_path):
  (tmp_path / 'cut.jpg').write_bytes(b'\xff\xd8\xff\xe0' + bytes(40))
  with pytest.raises(UserError, match='cut.jpg'):
    write.simulate(
      str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path), processes=1
    )
  assert not (tmp_path / 'o').exists()


def test_the_same_data_set_is_reused(small):
  before = (small / write.SUMMARY).stat().st_mtime_ns
  assert not write.simulate(str(small), 5, 32, 3)
  assert (small / write.SUMMARY).stat().st_mtime_ns == before


@pytest.mark.parametrize(
  'count, size, seed', [(6, 32, 3), (5, 40, 3), (5, 32, 4)]
)
def test_other_parameters_are_refused(small, count, size, seed):
  with pytest.raises(UserError, match='made with other parameters'):
    write.simulate(str(small), count, size, seed)


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path):
  (tmp_path / 'mine.txt').write_text('mine')
  with pytest.raises(UserError, match='not a simulated data set'):
    write.simulate(str(tmp_path), 4, 32, 0)
  assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_a_file_in_the_way_is_refused(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write'):
    write.simulate(str(tmp_path / 'file' / 'out'), 4, 32, 0)
  with pytest.raises(UserError, match='not a simulated data set'):
    write.simulate(str(tmp_path / 'file'), 4, 32, 0)


@pytest.mark.parametrize(
  'count, size, seed, field',
  [
    (3, 32, 0, '--images_per_class=3'),
    (4, 31, 0, '--size=31'),
    (4, 32, -1, '--seed=-1'),
  ],
)
def test_arguments_are_checked(tmp_path, count, size, seed, field):
  with pytest.raises(UserError, match=field):
    write.simulate(str(tmp_path / 'out'), count, size, seed)


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
  def interrupt(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr(write, '_write_csv', interrupt)
  with pytest.raises(KeyboardInterrupt):
    write.simulate(str(tmp_path / 'out'), 4, 32, 0, processes=1)
  assert not list(tmp_path.iterdir())


def test_the_command_reports_in_one_line(small, monkeypatch, capsys):
  arguments = ['simulate', '--out', str(small), '--images_per_class', '5']
  monkeypatch.setattr(sys, 'argv', [*arguments, '--size', '32', '--seed', '3'])
  command.main()
  assert capsys.readouterr().out.startswith('complete already, reused')
  monkeypatch.setattr(sys, 'argv', [*arguments, '--size', '8'])
  with pytest.raises(SystemExit) as stopped:
    command.main()
  assert stopped.value.code == 1
  assert capsys.readouterr().err.count('\n') == 1


def test_jax_is_not_imported():
  code = (
    'import sys, input_pipeline.simulate.__main__;'
    "sys.exit('jax' in sys.modules)"
  )
  assert subprocess.run([sys.executable, '-c', code]).returncode == 0
