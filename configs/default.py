"""Default settings of every run.

Method parameters: owdfa_jax/methods/parameters.py; rule parameters:
owdfa_jax/losses/pseudo_label_rules/parameters.py; values for each benchmark:
benchmarks.py.
"""

import dataclasses

import ml_collections

from owdfa_jax.configs import benchmarks
from owdfa_jax.losses.pseudo_label_rules.parameters import RULE_PARAMETERS
from owdfa_jax.methods.parameters import PARAMETERS


def get_config(method: str, benchmark: str) -> ml_collections.ConfigDict:
  """Returns the default settings of a method on a benchmark.

  Args:
    method: a key of `owdfa_jax.methods.parameters.PARAMETERS`.
    benchmark: a key of `configs.benchmarks.BENCHMARKS`.
  """
  config = ml_collections.ConfigDict()

  # All random numbers are a function of (seed, step).
  config.seed = 0
  # Images per step on all devices together, half of them labelled.
  config.batch_size = 128
  # Devices that share one copy of the parameters and of the optimiser's state;
  # it divides the number of devices. 1 gives each device a copy of its own.
  config.state_shards = 1
  # An epoch is floor(training images / batch_size) steps, times the passes.
  config.epochs = 50
  # Passes over the training images in an epoch. For little data, training
  # takes more than 1 unless --config.epochs is given; see docs/training.md.
  config.passes_per_epoch = 1
  # What follows a step whose loss, gradient or result is not finite: 'stop'
  # ends the run; 'skip' leaves the network as it was before the step, and goes
  # on.
  config.on_divergence = 'stop'
  # With 'skip', the run ends if more steps in a row than this are skipped.
  config.max_skipped_in_a_row = 10

  config.data = _data()
  config.model = _model()
  config.augment = _augmentation()
  config.method = _method(method)
  config.pseudo = _pseudo()
  config.optimizer = _optimizer()
  config.eval = _evaluation()
  config.checkpoints = _checkpoints()
  config.log = _log()

  # Compiled programs are kept in this folder for later runs; 'auto' is one in
  # the user's cache folder, '' keeps none.
  config.compilation_cache = 'auto'

  benchmarks.apply_data(config, benchmark)
  return config


def _data() -> ml_collections.ConfigDict:
  """Returns the settings of the images and of the labels for training."""
  data = ml_collections.ConfigDict()
  # The packed directory.
  data.path = ''
  # Number of known classes that the packed data must have; None accepts any.
  data.num_known = ml_collections.config_dict.placeholder(int)
  # Number of classes, the known ones included, that the packed data must have;
  # None accepts any. For data with images of unknown class it is your estimate
  # of the number of classes; None has it estimated from the training images.
  # Evaluation takes the number of the run.
  data.num_classes = ml_collections.config_dict.placeholder(int)
  # 'open_world': labelled and unlabelled rows, half and half.
  # 'labelled': only the labelled half of the same batches.
  # 'all': every training row with its label, for the upper bound.
  data.supervision = 'open_world'
  # A file of pseudo-labels for unlabelled rows, as a staged run writes it; see
  # input_pipeline.pseudo_labels. '' for none.
  data.pseudo_labels = ''
  # Threads that decode images, in each process; 0 decodes a batch when a step
  # asks for it.
  data.num_threads = 2
  # Processes that decode images, if threads are too slow; 0 for this one alone.
  data.num_workers = 0
  # Names of classes, with commas: their images take no part in training, and
  # their test images stand for sources that nobody has seen; '' for none.
  data.leave_out = ''
  # Share of the labelled rows held out when eval.selection is 'validation'.
  data.validation_share = 0.1
  return data


def _model() -> ml_collections.ConfigDict:
  """Returns the settings of the network and its initial weights."""
  model = ml_collections.ConfigDict()
  # A key of owdfa_jax.models.backbones.BACKBONES.
  model.backbone = 'resnet50'
  # What the network sees: 'rgb', the pixels, normalised; 'residual', the pixels
  # without their smooth part; 'scaled_residual', the residual divided by its
  # spread in the image; 'both', RGB and residual. See docs/methods.md.
  model.front_end = 'rgb'
  # Features that a branch on the local spectrum adds to those of the backbone;
  # 0 for no such branch. See docs/methods.md.
  model.spectrum_features = 0
  # Fixed random projections of that spectrum, which the discovery of sources
  # gets beside the network's features; 0 for none.
  model.spectrum_projections = 0
  # Multiplies the number of channels.
  model.width = 1.0
  # What the backbone computes in; losses and similarities are always float32.
  model.dtype = 'bfloat16'
  # Share of the head's inputs that a training step drops.
  model.dropout = 0.2
  # Initial weights: a .safetensors, .npz or .pth file, the workdir of a run,
  # one of its checkpoints, RUN/checkpoints/STEP, or 'efficientnet_lite0', which
  # a package brings. '' for random.
  model.init = ''
  # Whether to load the head from there too, if its shape fits.
  model.init_head = True
  return model


def _augmentation() -> ml_collections.ConfigDict:
  """Returns the settings of the random views; the defaults are the papers'."""
  augment = ml_collections.ConfigDict()
  # 'resized' cuts out a part of an image and enlarges it, which interpolates
  # every pixel; 'shifted' moves the image by whole pixels and mirrors it at the
  # border, which interpolates none; 'none' does neither.
  augment.crop = 'resized'
  # Probability of either.
  augment.crop_probability = 0.2
  # The largest shift, as a share of the side.
  augment.largest_shift = 0.125
  # Probability of another brightness and contrast.
  augment.colour_probability = 0.2
  # The largest change of brightness as a share of 255, and of contrast as a
  # share of itself. The strong view of CAL has twice that.
  augment.colour_strength = 0.2
  # Probability of shrinking an image and enlarging it again.
  augment.resize_probability = 0.0
  # The least share of the side that shrinking leaves; the most is 1.
  augment.smallest_resize = 0.5
  # Probability of adding normal noise.
  augment.noise_probability = 0.0
  # The largest standard deviation of the noise, in grey levels.
  augment.largest_noise = 4.0
  # Probability of encoding and decoding an image as JPEG, with halved chroma.
  augment.jpeg_probability = 0.0
  # The range of its quality, as libjpeg means it.
  augment.lowest_quality = 60
  augment.highest_quality = 95
  return augment


def _method(method: str) -> ml_collections.ConfigDict:
  """Returns the settings of a method, with its default parameters."""
  settings = ml_collections.ConfigDict()
  # A key of owdfa_jax.methods.parameters.PARAMETERS.
  settings.name = method
  # Fields of the dataclass in owdfa_jax.methods.parameters, and their defaults.
  settings.params = ml_collections.ConfigDict(
    dataclasses.asdict(PARAMETERS[method]())
  )
  return settings


def _pseudo() -> ml_collections.ConfigDict:
  """Returns the settings of the pseudo-label rule."""
  pseudo = ml_collections.ConfigDict()
  # A key of owdfa_jax.losses.pseudo_label_rules.by_name.RULES, whose loss is
  # added to the method's; '' for none.
  pseudo.rule = ''
  # Weight of the rule's loss.
  pseudo.weight = 0.5
  # The parameters of all rules; each rule takes its own.
  pseudo.params = ml_collections.ConfigDict()
  for parameters in RULE_PARAMETERS.values():
    pseudo.params.update(dataclasses.asdict(parameters()))
  return pseudo


def _optimizer() -> ml_collections.ConfigDict:
  """Returns the settings of the optimiser and the learning rate."""
  optimizer = ml_collections.ConfigDict()
  # The learning rate of Adam in the first epoch.
  optimizer.learning_rate = 2e-4
  # An L2 term added to the gradient, not decoupled.
  optimizer.weight_decay = 1e-5
  # 'step' multiplies the rate by decay_factor every decay_epochs; 'cosine'
  # lowers it to zero, changing it at each epoch.
  optimizer.schedule = 'step'
  optimizer.decay_epochs = 10
  optimizer.decay_factor = 0.2
  return optimizer


def _evaluation() -> ml_collections.ConfigDict:
  """Returns the settings of evaluations and the selection of a checkpoint."""
  evaluation = ml_collections.ConfigDict()
  # Epochs between two evaluations.
  evaluation.every_epochs = 1
  # Images per step of an evaluation, on all devices together.
  evaluation.batch_size = 256
  # Which checkpoint --mode=eval restores: 'best', 'latest' or a step.
  evaluation.checkpoint = 'best'
  # What --mode=eval evaluates: the 'test' or the 'train' split, or the
  # 'unlabelled' rows of the training split.
  evaluation.split = 'test'
  # What selects the best checkpoint: the metric on the 'test' split, as in all
  # papers, or on a 'validation' share of the labelled rows; 'last' takes the
  # last epoch.
  evaluation.selection = 'test'
  evaluation.metric = 'all_nmi'
  # What names the source of an image: the network's 'head', or the nearest of
  # the 'centres' of clusters of whitened features, found after training (or by
  # the first evaluation) and written to RUN/centres-STEP.npz. Evaluations
  # between epochs use the head.
  evaluation.classify_by = 'head'
  # How features are whitened for the centres: 'within_class', 'pca',
  # 'pca_within_class' or 'none'; 'auto' takes what finds held-out known classes
  # best.
  evaluation.whitening = 'auto'
  # The share of images of the run's own sources that may be called "none of
  # these": it sets the threshold of unseen_score, on training images that are
  # held out from what scores them.
  evaluation.false_alarm_rate = 0.05
  # Images of sources that the run has not seen, to measure how many of them are
  # told: a folder of images or a packed directory; '' for none.
  evaluation.unseen_path = ''
  # Evaluates the images nine more times, as JPEG, blurred, resized and with
  # noise, for the field `robustness` of report.json.
  evaluation.robustness = False
  return evaluation


def _checkpoints() -> ml_collections.ConfigDict:
  """Returns the settings of the checkpoints."""
  checkpoints = ml_collections.ConfigDict()
  # What training does about a damaged checkpoint in its workdir. 'stop' says
  # which file is damaged and which steps are sound, so that a copy can be put
  # in its place. 'fall_back' renames the damaged checkpoint to STEP.damaged and
  # goes on from the latest sound one, which repeats the steps since then.
  checkpoints.on_damage = 'stop'
  return checkpoints


def _log() -> ml_collections.ConfigDict:
  """Returns the settings of the log."""
  log = ml_collections.ConfigDict()
  # Steps between two lines of the log.
  log.every_steps = 10
  # Writes the curves for TensorBoard too.
  log.tensorboard = True
  # Weights & Biases, if it is installed; offline unless its own environment
  # variables say otherwise.
  log.wandb = False
  # Training steps that a trace for TensorBoard and Perfetto shows, after the
  # first three; it goes into RUN/profile. 0 for no trace.
  log.profile = 0
  # Draws the page RUN/report.html after an evaluation of the test images.
  log.page = True
  return log
