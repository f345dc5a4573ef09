"""What file names tell about an image: its video, footage and frame number."""

import pytest

from input_pipeline.benchmarks import candidates
from input_pipeline.benchmarks.owdfa_classes import OWDFA

REAL, FAKE = OWDFA[:2]  # of FaceForensics++


def test_a_fake_of_faceforensics_shares_footage_with_both_its_videos():
  fake = candidates.frame_candidate('/b', FAKE, 'c23', '000_003/0012.png')
  assert fake.path == '/b/000_003/0012.png'
  assert fake.flat == 'c23-000_003-0012.png'
  assert (fake.img_name, fake.frame_idx) == ('000_003', 12)
  assert fake.footage == ('FaceForensics++/000', 'FaceForensics++/003')
  real = candidates.frame_candidate('/b', REAL, 'c23', '003/7.png')
  assert real.footage == ('FaceForensics++/003',)
  assert real.video != fake.video


def test_in_forgerynet_only_frames_belong_to_a_video():
  frame = candidates.forgerynet_candidate('/b', '3/x/clip/frame00012.jpg')
  assert frame.video == 'ForgeryNet/3/x/clip'
  assert (frame.frame_idx, frame.flat) == (12, '3-x-clip-frame00012.jpg')
  other = candidates.forgerynet_candidate('/b', '3/x/clip/frame00090.jpg')
  assert other.video == frame.video and other.footage == frame.footage
  picture = candidates.forgerynet_candidate('/b', '11/x/4/00012.jpg')
  assert (picture.video, picture.footage) == ('', ())


@pytest.mark.parametrize(
  ('name', 'nested', 'video', 'footage'),
  [
    ('c23-000_001-0003.png', False, '000_001', 2),
    ('c40-017-0003.png', False, '017', 1),
    ('Celeb-real-id0_0001-12.png', False, 'id0_0001', 1),
    ('3-x-clip-frame00012.jpg', False, '3-x-clip', 1),
    ('clip/frame00012.jpg', False, 'clip', 1),
    ('clip/012.png', True, 'clip', 1),
    ('clip/012.png', False, '', 0),  # the whole class is in one folder
    ('clip/face.png', True, '', 0),
    ('00012.png', True, '', 0),
  ],
)
def test_names_in_owdfa40_tell_the_video(name, nested, video, footage):
  image = candidates.owdfa40_candidate('/b', 'DF40', nested, name)
  assert image.video == (f'/b/{video}' if video else '')
  assert len(image.footage) == footage
