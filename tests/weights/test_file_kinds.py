"""Files without weights are named by their kind; damage is called damage."""

import gzip
import io
import os
import tarfile
import zipfile

import numpy as np
import pytest

from helpers import torch_writer as torch
from helpers.weight_files import sample_weights, write_bytes
from input_pipeline.errors import UserError
from owdfa_jax.weights import readers
from owdfa_jax.weights.readers import read_weights


def zip_of(**entries):
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    for name, content in entries.items():
      archive.writestr(name.replace('__', '/'), content)
  return buffer.getvalue()


def tar():
  buffer = io.BytesIO()
  with tarfile.open(fileobj=buffer, mode='w') as archive:
    archive.addfile(tarfile.TarInfo('storages'))
  return buffer.getvalue()


def npz(array):
  buffer = io.BytesIO()
  np.savez(buffer, w=array)
  return buffer.getvalue()


def npy():
  buffer = io.BytesIO()
  np.save(buffer, np.ones(3))
  return buffer.getvalue()


FILES = {
  'empty': (b'', 'it is empty: download'),
  'zeros': (bytes(5000), 'it begins with zeros'),
  'web page': (b'\n<!DOCTYPE html>', 'a page of the web'),
  'pointer': (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
  'HDF5': (b'\x89HDF\r\n\x1a\n', 'an HDF5 file'),
  'ONNX': (b'\x08\x07\x12\x07pytorch\x1a', 'ONNX'),
  'TensorFlow': (b'x' * 40 + bytes.fromhex('57fb808b247547db'), 'TensorFlow'),
  'Lite': (b'\x1c\0\0\0TFL3', 'TensorFlow Lite'),
  'array': (npy(), 'one array: save arrays by their names'),
  'gzip': (gzip.compress(b'weights'), 'packed with gzip: unpack it'),
  'tar': (tar(), 'a tar file'),
  'pickle': (b'\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94.', 'a pickle that torch.sa'),
  'image': (b'\x89PNG\r\n\x1a\n', 'an image'),
  'nothing': (zip_of(), 'a zip archive of nothing'),
  'zip': (zip_of(a='', b__c=''), 'a zip archive of a, b/c'),
  'Keras': (zip_of(config='', model__x='', **{'m.h5': ''}), 'a Keras archive'),
  'TorchScript': (
    zip_of(m__code__net='', **{'m__data.pkl': b'c__torch__\nNet\n.'}),
    'a TorchScript archive: load it with torch.jit.load',
  ),
  'objects': (npz(np.array([None])), 'elements of type object'),
  'texts': (npz(np.array(['a'])), 'elements of type <U1'),
  'no arrays': (b'\x02\0\0\0\0\0\0\0{}', 'it has no tensors'),
  'float8': (
    b'\x3a\0\0\0\0\0\0\0{"a":{"dtype":"F8_E4M3","shape":[1],'
    b'"data_offsets":[0,1]}}\0',
    'tensors of type F8_E4M3',
  ),
}


@pytest.mark.parametrize('name', FILES)
def test_other_files(tmp_path, name):
  content, message = FILES[name]
  with pytest.raises(UserError, match='^(not a file of|no) weights') as caught:
    read_weights(write_bytes(tmp_path, content))
  assert message in str(caught.value) and 'damaged' not in str(caught.value)


def test_a_whole_model_is_named(tmp_path):
  model = torch.call(torch.name('torchvision.models.resnet', 'ResNet'))
  with pytest.raises(UserError, match='name torchvision.models.resnet.ResNet'):
    read_weights(write_bytes(tmp_path, torch.zip_bytes(model, {})))


def test_settings_of_a_script_are_dropped(tmp_path):
  """Many checkpoints hold an `argparse.Namespace` beside the weights."""
  state, blocks = torch.describe(sample_weights())
  settings = torch.Raw(
    torch.name('argparse', 'Namespace')
    + b')\x81'
    + torch.pickle({})[2:-1]
    + b'b'
  )
  content = torch.zip_bytes({'args': settings, 'state_dict': state}, blocks)
  result = read_weights(write_bytes(tmp_path, content))
  assert result.keys() == sample_weights().keys()


@pytest.mark.parametrize(
  'path, message',
  [
    ('/dev/zero', 'it is a device, not a regular file'),
    ('pipe', 'it is a named pipe, not a regular file'),
    ('gs://bucket/w.pth', 'from a bucket or the web'),
    ('https://host/w.pth', 'from a bucket or the web'),
    ('large', '8,796,093,022,208 bytes, over the limit of 4,096 MiB'),
  ],
)
def test_what_is_not_opened(tmp_path, monkeypatch, path, message):
  monkeypatch.chdir(tmp_path)
  os.mkfifo('pipe')
  with open('large', 'wb') as file:
    file.truncate(2**43)
  with pytest.raises(UserError, match=message):
    read_weights(path)


def test_the_limit_can_be_changed(tmp_path, monkeypatch):
  path = write_bytes(tmp_path, npz(np.ones(2**19)))
  monkeypatch.setenv(readers.LIMIT_VARIABLE, '1')
  with pytest.raises(UserError, match=f'{readers.LIMIT_VARIABLE} raises it'):
    read_weights(path)
  monkeypatch.setenv(readers.LIMIT_VARIABLE, '5')
  assert read_weights(path).keys() == {'w'}
