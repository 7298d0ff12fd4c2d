//! A folder of its own for each test, with a small pipeline over the real digits of this repository.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program under test.
pub(crate) fn millstream() -> Command {
    Command::new(env!("CARGO_BIN_EXE_millstream"))
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What one of the files of digits in `data/mnist` holds, unpacked.
pub(crate) fn unpacked_mnist(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(root().join("data/mnist").join(name)).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A folder in which a test may do as it likes.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// An empty folder with `pipeline.yaml`: the quickstart cut down to a few seconds.
    pub(crate) fn new() -> Self {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        place.write("pipeline.yaml", &small_pipeline());
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Replaces text in `pipeline.yaml`. It must be there.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("pipeline.yaml")).unwrap();
        assert!(text.contains(from), "the pipeline does not say {from:?}");
        self.write("pipeline.yaml", &text.replace(from, to));
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = millstream();
        command.args(args).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs what must succeed. Returns its standard output.
    pub(crate) fn succeed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// Runs what must succeed. Returns what it says on standard error.
    pub(crate) fn tell(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        stderr(&output)
    }

    /// Runs what must fail with a code and with a message that holds all of `says`.
    pub(crate) fn fail(&self, args: &[&str], code: i32, says: &[&str]) -> String {
        let output = self.run(args);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}{text}", stdout(&output));
        for part in says {
            assert!(text.contains(part), "{args:?} does not say {part:?}: {text}");
        }
        assert!(!text.contains("panicked"), "{text}");
        text
    }

    /// Starts a command and leaves it running.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn report(&self, run: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.path(run).join("report.json")).unwrap()).unwrap()
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Three rounds on a fraction of the digits: seconds, not minutes, and every part of the loop at work.
fn small_pipeline() -> String {
    let mnist = root().join("data/mnist");
    format!(
        "name: small
seed: 1
memory: 64MiB
max_bad: 1%
threads: 1
data:
  sources:
    train: {{ idx: {{ images: {mnist}/train-images-idx3-ubyte.gz, labels: {mnist}/train-labels-idx1-ubyte.gz }} }}
    test: {{ idx: {{ images: {mnist}/test-images-idx3-ubyte.gz, labels: {mnist}/test-labels-idx1-ubyte.gz }} }}
  splits:
    labelled: {{ from: train, take: {{ per_class: 4 }} }}
    unlabelled: {{ from: train, except: labelled, take: {{ fraction: 0.05 }} }}
    test: {{ from: test, take: {{ fraction: 0.1 }} }}
stream:
  size: [28, 28]
  channels: gray
  normalize: {{ mean: [0.1307], std: [0.3081] }}
  eval_batch: 64
training:
  steps: 40
  batch: 16
  unlabelled_ratio: 2
  augment: [ {{ affine: {{ degrees: 8, shear: 0.09, translate: 2 }} }}, {{ randaugment: {{ ops: 1, magnitude: 3 }} }} ]
  optimizer: {{ sgd: {{ lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0005 }} }}
  schedule: {{ one_cycle: {{ warmup: 0.25 }} }}
  label_smoothing: 0.1
  ema: 0.9
rounds:
  - model: {{ smallnet: {{ width: 8, dropout: 0.1 }} }}
    training: {{ steps: 60 }}
  - model: {{ smallnet: {{ width: 8, dropout: 0.1 }} }}
  - model: {{ smallnet: {{ width: 12 }} }}
selection: {{ threshold: 0.5, balance: {{ per_class: 40, upsample: true }} }}
",
        mnist = mnist.display()
    )
}
