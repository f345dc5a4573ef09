"""What paths tell: videos, footage, frame numbers and names."""

import pytest

from input_pipeline.benchmarks import naming, tables

FAKE = tables.OWDFA[1]


def test_a_fake_of_faceforensics_shares_footage_with_both_its_videos():
  image = naming.frame_image('/b', FAKE, 'c23', '000_003/0012.png')
  assert image.path == '/b/000_003/0012.png'
  assert image.flat == 'c23-000_003-0012.png'
  assert (image.img_name, image.frame_idx) == ('000_003', 12)
  assert image.footage == ('FaceForensics++/000', 'FaceForensics++/003')
  real = naming.frame_image('/b', tables.OWDFA[0], 'c23', '003/7.png')
  assert real.footage == ('FaceForensics++/003',)
  assert real.video != image.video


def test_only_frames_of_forgerynet_belong_to_a_video():
  frame = naming.net_image('/b', '3/x/clip/frame00012.jpg')
  assert frame.video == 'ForgeryNet/3/x/clip'
  assert (frame.frame_idx, frame.flat) == (12, '3-x-clip-frame00012.jpg')
  other = naming.net_image('/b', '3/x/clip/frame00090.jpg')
  assert other.video == frame.video and other.footage == frame.footage
  alone = naming.net_image('/b', '11/x/4/00012.jpg')
  assert (alone.video, alone.footage) == ('', ())


@pytest.mark.parametrize(
  ('name', 'nested', 'video', 'footage'),
  [
    ('c23-000_001-0003.png', False, '000_001', 2),
    ('c40-017-0003.png', False, '017', 1),
    ('Celeb-real-id0_0001-12.png', False, 'id0_0001', 1),
    ('3-x-clip-frame00012.jpg', False, '3-x-clip', 1),
    ('clip/frame00012.jpg', False, 'clip', 1),
    ('clip/012.png', True, 'clip', 1),
    ('clip/012.png', False, '', 0),  # all of the class in one folder
    ('clip/face.png', True, '', 0),
    ('00012.png', True, '', 0),
  ],
)
def test_names_of_owdfa40_may_give_the_video_away(name, nested, video, footage):
  image = naming.released_image('/b', 'DF40', nested, name)
  assert image.video == (f'/b/{video}' if video else '')
  assert len(image.footage) == footage
