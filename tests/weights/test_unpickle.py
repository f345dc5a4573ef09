"""Pickles that do more than describe weights: errors, and never executed."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from helpers import torch_writer as torch
from helpers.weight_files import read_within, write_bytes
from input_pipeline.errors import UserError
from owdfa_jax.weights import unpickle
from owdfa_jax.weights.readers import read_weights


class Malicious:
  """Unpickling would run `function(*arguments)`."""

  def __init__(self, function, *arguments):
    self.reduced = function, arguments

  def __reduce__(self):
    return self.reduced


class Attributes:
  """Unpickling would set attributes or call `__setstate__`."""

  def __init__(self):
    self.attribute = 1


def containers(pickled):
  """Returns files of both formats whose object is the pickle."""
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    archive.writestr('archive/data.pkl', pickled)
  start = b''.join(map(torch.pickle, (torch.MAGIC, 1001, {})))
  return buffer.getvalue(), start + pickled + torch.pickle([])


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize(
  ('value', 'named'),
  [
    (Malicious(os.system, 'touch executed'), 'posix.system'),
    (Malicious(eval, 'open("executed", "w")'), 'eval'),
    (Malicious(exec, 'open("executed", "w")'), 'exec'),
    (Malicious(getattr, 'text', 'join'), 'getattr'),
    (Attributes(), 'Attributes'),
    (np.float64(1.0), 'scalar'),
  ],
)
def test_nothing_is_executed(tmp_path, monkeypatch, protocol, value, named):
  monkeypatch.chdir(tmp_path)
  for content in containers(pickle.dumps({'state_dict': value}, protocol)):
    with pytest.raises(UserError, match=named) as caught:
      read_weights(write_bytes(tmp_path, content))
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'executed').exists()


SYSTEM = torch.name('os', 'system')
HARMLESS = torch.name('collections', 'OrderedDict')


@pytest.mark.parametrize(
  ('instructions', 'message'),
  [
    (b'ios\nsystem\n.', 'INST'),
    (b'(' + SYSTEM + b'o.', 'os.system'),
    (HARMLESS + b')\x81.', 'NEWOBJ'),
    (b'\x82\x01.', 'EXT1'),
    (HARMLESS + b')R}b.', 'no state dict'),  # attributes of a dict: dropped
    (HARMLESS + b'}b.', 'attributes'),
    (b'](X\x01\x00\x00\x00ae}b.', 'attributes'),
    (b')' + b')R.', 'a function'),
    (HARMLESS + b']R.', 'arguments'),
    (torch.name('torch', 'FloatStorage') + b')R.', 'a function'),
    (torch.name('torch._utils', '_rebuild_tensor_v2.__globals__') + b'.', 'gl'),
    (b'})Ns.', 'key of a dict'),
    (b'}' + b')' + b'\x85' * 50_000 + b'Ns.', 'key of a dict'),
    (b'\x85.', 'tuple'),
    (b'.', 'pop'),
    (b'(.', 'pop'),
    (b't.', 'pop'),
    (b'h\x05.', '5'),
    (b'(Nu.', 'index'),
    (b'}(Nu.', 'a dict'),
    (b'Nq\x00h\x00a.', 'a list'),
    (torch.instructions(('module', 'code')) + b'Q.', 'outside the pickle'),
    (b'\x8a\xff', 'not enough data'),
    (b'\x80\x02N', 'exhausted'),
    (b'c\x1b[2J\x0b\nname\n.', r'the name \?\[2J\?\.name'),
  ],
)
def test_unexpected_instructions_are_errors(tmp_path, instructions, message):
  for content in containers(instructions):
    with pytest.raises(UserError, match=message):
      read_weights(write_bytes(tmp_path, content))


def test_dict_that_contains_itself_is_an_error(tmp_path):
  name = torch.instructions('model')
  for content in containers(b'}q\x00' + name + b'h\x00s.'):
    with pytest.raises(UserError, match='no state dict'):
      read_weights(write_bytes(tmp_path, content))


def test_list_that_is_named_often_does_not_fill_the_memory(tmp_path):
  pairs = torch.instructions([[f'{i}', None] for i in range(3000)])
  copy = HARMLESS + b'h\x00\x85R'
  pickled = pairs + b'q\x00(' + 3000 * copy + b't.'
  for content in containers(pickled):
    with pytest.raises(UserError, match='no state dict'):
      read_within(write_bytes(tmp_path, content), 64 * 2**20)


def test_pickles_of_very_many_instructions_are_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(unpickle, 'MAX_INSTRUCTIONS', 10_000)
  for opcode in (b'N', b'}', b'(', b']'):
    for content in containers(b'\x80\x02' + opcode * 10**6 + b'.'):
      with pytest.raises(UserError, match='more than 10,000 instructions'):
        read_within(write_bytes(tmp_path, content), 8 * 2**20)


def test_objects_that_double_do_not_fill_the_memory(tmp_path):
  key = (
    torch.instructions('a') + b'h\x00s' + torch.instructions('b') + b'h\x00s'
  )
  doubled = {
    'tuples': b')q\x00' + 200 * b'h\x00h\x00\x86q\x00',
    'lists': b']q\x00' + 200 * b']q\x01(h\x00h\x00eh\x01q\x00',
    'dicts': b'}q\x00' + 200 * (b'}q\x01' + key + b'h\x01q\x00'),
  }
  for instructions in doubled.values():
    for content in containers(instructions + b'.'):
      with pytest.raises(UserError, match='no state dict'):
        read_within(write_bytes(tmp_path, content), 2**20)


def test_dicts_nested_very_deeply(tmp_path):
  name = torch.instructions('a')
  for content in containers(
    (b'}' + name) * 20_000 + b'N' + b's' * 20_000 + b'.'
  ):
    with pytest.raises(UserError, match='no state dict'):
      read_weights(write_bytes(tmp_path, content))


def test_one_class_may_be_made_and_only_empty(tmp_path):
  namespace = torch.name('argparse', 'Namespace')
  for content in containers(namespace + torch.instructions((1,)) + b'\x81.'):
    with pytest.raises(UserError, match='NEWOBJ'):
      read_weights(write_bytes(tmp_path, content))
