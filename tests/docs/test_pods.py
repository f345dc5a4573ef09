"""The launch files of docs/pods: valid, and they start what they say.

The programs of a cluster are replaced by scripts that write down how they were
called.
"""

import os
import re
import shlex
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from kubeflow_trainer_api.models.jobset_v1alpha2_job_set import (
  JobsetV1alpha2JobSet,
)

from configs import leaderboard
from helpers.paths import ROOT

PODS = ROOT / 'docs' / 'pods'
SCRIPTS = sorted(PODS.glob('*.sh'))
ARGUMENTS = ('configs/trace.py:folder64', 'my data', 'runs/mine')
RUNS = [
  (row['name'], seed)
  for row in leaderboard.get_config('folder64').rows
  for seed in leaderboard.get_config('folder64').seeds
]


# Not there, so that commands end before they train.
MISSING = 'not/there'


def recorded(
  folder,
  script,
  statuses=(0,),
  arguments=ARGUMENTS,
  states=('', 'ACTIVE'),
  **environment,
):
  """Runs a launch script; returns its status and the calls it made.

  Args:
    folder: an empty folder.
    script: a script of docs/pods.
    statuses: with which srun, or gcloud's ssh, end, one after the other.
    arguments: of the script.
    states: what gcloud's describe prints, one after the other; '' for a request
      that is not there.
    **environment: further variables.
  """
  for name in ('srun', 'scontrol', 'gcloud'):
    program = folder / name
    program.write_text(f"""#!{sys.executable} -IS
import json, pathlib, sys
calls = pathlib.Path({str(folder / 'calls')!r})
made = calls.read_text().splitlines() if calls.exists() else []
calls.write_text('\\n'.join([*made, json.dumps([{name!r}, *sys.argv[1:]])]))
if 'describe' in sys.argv:
  state = {list(states)!r}[sum('"describe"' in call for call in made)]
  print(state)
  sys.exit(not state)
work = ('"srun"', '"ssh"')
done = sum(any(word in call for word in work) for call in made)
if {name!r} == 'srun' or 'ssh' in sys.argv:
  sys.exit({list(statuses)!r}[done])
""")
    program.chmod(0o755)
  done = subprocess.run(
    ['bash', str(script), *arguments],
    env={'PATH': f'{folder}:{os.environ["PATH"]}'} | environment,
    capture_output=True,
    text=True,
    cwd=folder,
  )
  text = (folder / 'calls').read_text()
  return done.returncode, [yaml.safe_load(call) for call in text.splitlines()]


def reaches_the_data(words, folder):
  """Whether a command of ours is understood but for its missing data."""
  python = next(i for i, word in enumerate(words) if word.endswith('python'))
  words = [sys.executable, *words[python + 1 :]]
  done = subprocess.run(
    words,
    cwd=ROOT,
    env=os.environ | {'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 1
  return 'no data directory: not/there' in done.stderr


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.name)
def test_scripts_have_no_faults_that_shellcheck_finds(script):
  shellcheck = os.path.join(os.path.dirname(sys.executable), 'shellcheck')
  done = subprocess.run([shellcheck, script], capture_output=True, text=True)
  assert not done.returncode, done.stdout


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.name)
def test_scripts_say_which_arguments_are_missing(script):
  done = subprocess.run(
    ['bash', str(script), *ARGUMENTS[:2]], capture_output=True, text=True
  )
  assert done.returncode
  assert done.stderr.endswith(
    'give the config, the packed data and the workdir\n'
  )


@pytest.mark.parametrize(
  'status, again', [(0, False), (1, False), (75, True), (143, True)]
)
def test_slurm_starts_lost_runs_anew(tmp_path, status, again):
  ended, calls = recorded(
    tmp_path, PODS / 'slurm.sh', [status], SLURM_JOB_ID='7'
  )
  assert ended == status
  assert (['scontrol', 'requeue', '7'] in calls) == again
  assert calls[0][:2] == ['srun', '--kill-on-bad-exit=0']
  assert '--distributed' in calls[0]


def test_slurm_gives_up_in_the_end(tmp_path):
  _, calls = recorded(
    tmp_path,
    PODS / 'slurm.sh',
    [75],
    SLURM_JOB_ID='7',
    SLURM_RESTART_COUNT='20',
  )
  assert len(calls) == 1


def test_slurm_starts_a_command_that_main_understands(tmp_path):
  _, calls = recorded(
    tmp_path,
    PODS / 'slurm.sh',
    arguments=(
      ARGUMENTS[0],
      MISSING,
      str(tmp_path / 'run'),
      '--config.epochs=1',
    ),
  )
  assert '--config.epochs=1' in calls[0]
  assert reaches_the_data(calls[0], tmp_path)


def test_the_array_is_every_row_and_seed(tmp_path):
  script = PODS / 'slurm_leaderboard.sh'
  last = re.search(r'--array=0-(\d+)', script.read_text())
  assert last is not None
  assert int(last[1]) == len(RUNS) - 1
  for index in (0, 23, len(RUNS) - 1):
    folder = tmp_path / str(index)
    folder.mkdir()
    _, calls = recorded(folder, script, SLURM_ARRAY_TASK_ID=str(index))
    row, seed = RUNS[index]
    assert f'--config.only_rows={row}' in calls[0]
    assert f'--config.only_seeds={seed},' in calls[0]


def test_the_array_starts_commands_that_the_leaderboard_understands(tmp_path):
  _, calls = recorded(
    tmp_path,
    PODS / 'slurm_leaderboard.sh',
    arguments=(
      'configs/leaderboard.py:folder64',
      MISSING,
      str(tmp_path / 'run'),
    ),
    SLURM_ARRAY_TASK_ID='23',
  )
  assert reaches_the_data(calls[0], tmp_path)


@pytest.mark.parametrize(
  'statuses, ended', [([75, 143, 0], 0), ([75, 1], 1), ([75] * 20, 75)]
)
def test_queued_resources_go_on(tmp_path, statuses, ended):
  status, calls = recorded(tmp_path, PODS / 'queued_resources.sh', statuses)
  assert status == ended
  starts = [call[-1] for call in calls if 'ssh' in call]
  assert len(starts) == len(statuses)
  # Names with spaces reach the other machine whole.
  assert '--config.data.path=my data' in shlex.split(starts[0])


def test_queued_resources_start_a_command_that_main_understands(tmp_path):
  arguments = (
    *(ARGUMENTS[0], MISSING, str(tmp_path / 'run')),
    *('--config.batch_size=8192', '--config.method.params.pair_within=2048'),
  )
  _, calls = recorded(
    tmp_path, PODS / 'queued_resources.sh', arguments=arguments
  )
  (start,) = [call[-1] for call in calls if 'ssh' in call]
  assert reaches_the_data(shlex.split(start), tmp_path)


@pytest.mark.parametrize(
  'states, ended, made',
  [
    (('', 'ACTIVE'), 0, 1),
    (('ACTIVE', 'ACTIVE'), 0, 0),
    (('', 'FAILED'), 1, 1),
  ],
)
def test_queued_resources_are_asked_for_once(tmp_path, states, ended, made):
  status, calls = recorded(
    tmp_path, PODS / 'queued_resources.sh', states=states
  )
  assert status == ended
  assert sum('create' in call for call in calls) == made
  assert any('ssh' in call for call in calls) == (not ended)


def test_queued_leaderboard_has_the_rows_of_the_config():
  text = (PODS / 'queued_leaderboard.sh').read_text()
  rows = shlex.split(re.search(r'\nrows=\((.*?)\n\)', text, re.S)[1])
  seeds = int(re.search(r'\nseeds=(\d+)', text)[1])
  assert [(row, seed) for row in rows for seed in range(seeds)] == RUNS


def leaderboard_on_tpus(folder, data, **environment):
  """Runs the script one run at a time; returns its status and its calls."""
  return recorded(
    folder,
    PODS / 'queued_leaderboard.sh',
    [0, 143, 1] + [0] * len(RUNS),
    ('configs/leaderboard.py:folder64', data, str(folder / 'run')),
    ['', 'ACTIVE'] * len(RUNS),
    PARALLEL='1',
    **environment,
  )


@pytest.mark.slow
def test_queued_leaderboard_is_every_row_and_seed(tmp_path):
  """The second run is killed once, and then ends with an error."""
  status, calls = leaderboard_on_tpus(tmp_path, MISSING)
  assert status == 1
  starts = [call for call in calls if 'ssh' in call]
  assert len(starts) == len(RUNS) + 1
  assert starts.pop(1) == starts[1]
  for (row, seed), start in zip(RUNS, starts, strict=True):
    words = shlex.split(start[-1])
    assert f'--config.only_rows={row}' in words
    assert f'--config.only_seeds={seed},' in words
  assert reaches_the_data(shlex.split(starts[23][-1]), tmp_path)
  named = lambda word: [
    next(x for x in call if x.startswith('owdfa-leaderboard-'))
    for call in calls
    if word in call
  ]
  # Every machine is asked for and given back, also that of the error.
  names = [f'owdfa-leaderboard-{i}' for i in range(len(RUNS))]
  assert named('create') == names
  assert named('delete') == names


def test_kubernetes_knows_every_field():
  job = yaml.safe_load((PODS / 'leaderboard_job.yaml').read_text())
  kubernetes_validate.validate(job, '1.37', strict=True)
  jobset = yaml.safe_load((PODS / 'jobset.yaml').read_text())
  # What JobSet makes of its template.
  template = jobset['spec']['replicatedJobs'][0]['template']
  made = {
    'apiVersion': 'batch/v1',
    'kind': 'Job',
    'metadata': {'name': 'owdfa-workers-0'},
    'spec': template['spec'],
  }
  kubernetes_validate.validate(made, '1.37', strict=True)


def test_jobset_knows_every_field():
  jobset = yaml.safe_load((PODS / 'jobset.yaml').read_text())
  # Unknown fields are left out.
  assert JobsetV1alpha2JobSet.from_dict(jobset).to_dict() == jobset
  # What the schema does not say, and JobSet refuses.
  for rule in jobset['spec']['failurePolicy']['rules']:
    assert re.fullmatch('[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?', rule['name'])
    assert rule['action'] == 'FailJobSet'
    assert rule['onJobFailureReasons'] == ['PodFailurePolicy']


def test_jobset_counts_its_processes_once():
  text = (PODS / 'jobset.yaml').read_text()
  jobset = yaml.safe_load(text)
  spec = jobset['spec']['replicatedJobs'][0]['template']['spec']
  assert spec['completions'] == spec['parallelism']
  assert f'--num_processes={spec["completions"]} ' in container(spec)['args'][0]
  name = jobset['metadata']['name']
  job = jobset['spec']['replicatedJobs'][0]['name']
  assert f'--coordinator={name}-{job}-0-0.{name}:' in text


@pytest.mark.parametrize('name', ['jobset.yaml', 'leaderboard_job.yaml'])
def test_pods_start_commands_that_are_understood(tmp_path, name):
  spec = yaml.safe_load((PODS / name).read_text())['spec']
  if name == 'jobset.yaml':
    spec = spec['replicatedJobs'][0]['template']['spec']
  script = tmp_path / 'script'
  text = container(spec)['args'][0].replace('exec', 'srun')
  text = text.replace('/data/packed/mine', MISSING)
  script.write_text(text.replace('/data/runs', str(tmp_path / 'runs')))
  _, calls = recorded(tmp_path, script, JOB_COMPLETION_INDEX='3')
  assert reaches_the_data(calls[0], tmp_path)


@pytest.mark.parametrize('index', [0, 23, len(RUNS) - 1])
def test_the_pods_are_every_row_and_seed(tmp_path, index):
  spec = yaml.safe_load((PODS / 'leaderboard_job.yaml').read_text())['spec']
  assert spec['completions'] == len(RUNS)
  script = tmp_path / 'script'
  text = container(spec)['args'][0]
  script.write_text(text.replace('exec .venv/bin/python', 'srun'))
  _, calls = recorded(tmp_path, script, JOB_COMPLETION_INDEX=str(index))
  row, seed = RUNS[index]
  assert f'--config.only_rows={row}' in calls[0]
  assert f'--config.only_seeds={seed},' in calls[0]


def container(spec):
  """The one container of a job."""
  return spec['template']['spec']['containers'][0]
