//! Small corpora and a trainer whose answers are a function of the pixels.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_data::{
    Batch, DeadLetter, FolderLayout, Key, KeyKind, LabelRow, Manifest, Shape, SourceConfig, SplitConfig, Take, Target,
};
use millstream_dataflow::{
    Ahead, Event, Job, MixJob, ModelHash, Progress, Ranks, RoundJob, RoundResult, RoundView, StepMetrics, Stop,
    StopReason, Surroundings, Trainer, TrainerError, Unlabelled,
};
use millstream_imageops::{Mixing, Options, Step, Variant, View};
use millstream_labels::{Pseudo, Rule};

/// Where the images of a test come from.
#[derive(Clone)]
pub(crate) enum Corpus {
    /// 300 gray images of 8 x 8 in ten classes.
    Small,
    /// 60 RGB images of 256 x 256.
    Large,
    /// An image folder with class folders.
    Folder(PathBuf),
}

impl Corpus {
    fn classes(&self) -> usize {
        if matches!(self, Corpus::Folder(_)) { 4 } else { 10 }
    }

    /// Labelled records of each class, and test records.
    fn split(&self) -> (u32, u32) {
        match self {
            Corpus::Small => (6, 60),
            Corpus::Large => (1, 10),
            Corpus::Folder(_) => (5, 10),
        }
    }
}

type Hook = Arc<dyn Fn(&Event) + Send + Sync>;

/// One run of the stream.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) corpus: Corpus,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    /// Training nodes; they share the workers.
    pub(crate) ranks: u32,
    pub(crate) steps: u32,
    pub(crate) memory: u64,
    pub(crate) max_bad: u64,
    pub(crate) first_round: u32,
    pub(crate) first_step: u32,
    pub(crate) restored: Vec<(Key, Pseudo)>,
    pub(crate) fail_at: Option<(u32, u32)>,
    pub(crate) panic_at: Option<(u32, u32)>,
    pub(crate) interrupt_at: Option<(u32, u32)>,
    /// How long the trainer stops after its first step; the run is then interrupted.
    pub(crate) pause: Option<Duration>,
    pub(crate) views: Views,
    pub(crate) mixing: Option<Mixing>,
    /// Whether the trainer is left to mix the pixels.
    pub(crate) mixes_on_device: bool,
    pub(crate) unlabelled: Unlabelled,
    /// Whether there is a validation split, and a trainer that is surer than it is right.
    pub(crate) validation: bool,
    pub(crate) calibrate: bool,
    pub(crate) hook: Hook,
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            corpus: Corpus::Small,
            seed: 1,
            workers: 1,
            ranks: 1,
            steps: 5,
            memory: 16 << 20,
            max_bad: 100,
            first_round: 0,
            first_step: 0,
            restored: Vec::new(),
            fail_at: None,
            panic_at: None,
            interrupt_at: None,
            pause: None,
            views: Views::One,
            mixing: None,
            mixes_on_device: false,
            unlabelled: Unlabelled::Selected,
            validation: false,
            calibrate: false,
            hook: Arc::new(|_| {}),
        }
    }
}

impl Setting {
    pub(crate) fn on_event(self, hook: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Setting { hook: Arc::new(hook), ..self }
    }
}

/// What the trainer saw of a batch of training.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) round: u32,
    pub(crate) step: u32,
    pub(crate) rows: usize,
    pub(crate) records: Vec<u32>,
    pub(crate) views: Vec<u8>,
    pub(crate) targets: Vec<Target>,
    pub(crate) pixels: Vec<Vec<u8>>,
    /// Of pixels, keys and targets.
    pub(crate) hash: blake3::Hash,
}

/// What came of a run.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) batches: Vec<Seen>,
    pub(crate) rounds: Vec<RoundResult>,
    pub(crate) dead: Vec<DeadLetter>,
    pub(crate) stopped: Option<StopReason>,
}

impl Outcome {
    pub(crate) fn labels(&self) -> Vec<Vec<LabelRow>> {
        // Every run has a folder of its own for its files.
        let elsewhere = |row: &LabelRow| LabelRow { place: String::new(), ..row.clone() };
        self.rounds.iter().map(|round| round.labels.iter().map(elsewhere).collect()).collect()
    }

    pub(crate) fn labels_of(&self, round: u32) -> Vec<(Key, Pseudo)> {
        let rows = self.rounds.iter().filter(|r| r.round == round).flat_map(|r| &r.labels);
        rows.map(|row| (row.key, millstream_dataflow::pseudo_of(row))).collect()
    }
}

pub(crate) fn run(setting: Setting) -> Outcome {
    let files = tempfile::tempdir().unwrap();
    let mut job = job(&setting, files.path());
    if setting.mixes_on_device {
        job.mix_on_device();
    }
    let job = Arc::new(job);
    job.check(setting.workers).unwrap();
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let stop = Stop::new();
    let around = Surroundings::new(trainer(&setting, &outcome, &stop), events(&setting, &outcome), stop.clone());
    timely::execute(timely::Config::process(setting.workers), move |worker| {
        millstream_dataflow::run(worker, &job, &around);
    })
    .unwrap()
    .join()
    .into_iter()
    .for_each(|worker| worker.unwrap());
    let mut outcome = std::mem::take(&mut *outcome.lock().unwrap());
    outcome.stopped = stop.reason().cloned();
    outcome.dead.sort_by(|a, b| a.place.cmp(&b.place));
    outcome
}

fn events(setting: &Setting, outcome: &Arc<Mutex<Outcome>>) -> millstream_dataflow::EventSink {
    let (outcome, hook) = (Arc::clone(outcome), Arc::clone(&setting.hook));
    Arc::new(move |event| {
        hook(&event);
        let mut outcome = outcome.lock().unwrap();
        match event {
            Event::Round(round) => outcome.rounds.push(*round),
            Event::Dead(letter) => outcome.dead.push(letter),
            Event::Stepped { .. } | Event::Predicted { .. } => {}
        }
    })
}

fn trainer(setting: &Setting, outcome: &Arc<Mutex<Outcome>>, stop: &Stop) -> Arc<millstream_dataflow::TrainerFactory> {
    let (setting, outcome, stop) = (setting.clone(), Arc::clone(outcome), stop.clone());
    Arc::new(move || {
        Ok(Box::new(Counting { setting: setting.clone(), outcome: Arc::clone(&outcome), stop: stop.clone(), round: 0 }))
    })
}

/// Records what it is given; its probabilities depend on round and pixels alone.
/// The images of a batch, mixed as it says: what a training node does on its device.
fn mixed(batch: &Batch) -> Vec<Vec<u8>> {
    let images: Vec<&[u8]> = batch.images().collect();
    let mut mixed: Vec<Vec<u8>> = images.iter().map(|image| image.to_vec()).collect();
    let (width, channels) = (batch.shape.width as usize, usize::from(batch.shape.channels));
    for (image, plan) in mixed.iter_mut().zip(&batch.mixing) {
        let [left, top, right, bottom] = plan.area.map(|side| side as usize);
        for (at, (own, other)) in image.iter_mut().zip(images[plan.partner as usize]).enumerate() {
            let (x, y) = (at / channels % width, at / channels / width);
            let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
            let keep = if inside { 0 } else { plan.keep };
            *own = ((u32::from(*own) * keep + u32::from(*other) * ((1 << 16) - keep) + (1 << 15)) >> 16) as u8;
        }
    }
    mixed
}

struct Counting {
    setting: Setting,
    outcome: Arc<Mutex<Outcome>>,
    stop: Stop,
    round: u32,
}

impl Trainer for Counting {
    fn begin(&mut self, round: u32) -> Result<Progress, TrainerError> {
        self.round = round;
        Ok(Progress::default())
    }

    fn step(&mut self, step: u32, batch: &Batch, _next: &mut Ahead<'_>) -> Result<StepMetrics, TrainerError> {
        let at = Some((self.round, step));
        if self.setting.fail_at == at {
            return Err("the trainer fell over".into());
        }
        assert!(self.setting.panic_at != at, "a planted panic");
        if self.setting.interrupt_at == at {
            self.stop.set(StopReason::Interrupted);
        }
        if let Some(pause) = self.setting.pause.filter(|_| step == 1) {
            std::thread::sleep(pause);
            self.stop.set(StopReason::Interrupted);
        }
        let images = mixed(batch);
        let mut hasher = blake3::Hasher::new();
        images.iter().for_each(|pixels| {
            hasher.update(pixels);
        });
        for row in &batch.rows {
            hasher.update(format!("{} {:?} {}", row.key, row.target, row.labelled).as_bytes());
        }
        let records = batch.rows.iter().map(|row| row.record).collect();
        let seen = Seen {
            round: self.round,
            step,
            rows: batch.rows.len(),
            records,
            views: batch.rows.iter().map(|row| row.view).collect(),
            targets: batch.rows.iter().map(|row| row.target.clone()).collect(),
            pixels: if batch.shape.bytes() < 1000 { images } else { Vec::new() },
            hash: hasher.finalize(),
        };
        self.outcome.lock().unwrap().batches.push(seen);
        Ok(StepMetrics { images: batch.rows.len() as u32, ..StepMetrics::default() })
    }

    fn finish(&mut self, round: u32) -> Result<ModelHash, TrainerError> {
        Ok([round as u8; 32])
    }

    fn predict(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainerError> {
        if self.setting.validation {
            return Ok(batch.rows.iter().flat_map(|row| too_sure(self.round, row.record)).collect());
        }
        let mut all = Vec::new();
        for pixels in batch.images() {
            let hash = blake3::hash(&[pixels, &[self.round as u8][..]].concat());
            let classes = self.setting.corpus.classes();
            let class = usize::from(hash.as_bytes()[0]) % classes;
            let confidence = 0.4 + f32::from(hash.as_bytes()[1]) / 512.0;
            let mut probabilities = vec![(1.0 - confidence) / (classes - 1) as f32; classes];
            probabilities[class] = confidence;
            all.extend(probabilities);
        }
        Ok(all)
    }
}

/// How much too sure [`too_sure`] is.
pub(crate) const TOO_SURE: f64 = 2.5;

/// What the trainer with a validation split says of a record of the small corpus: it is right as often as its confidence at the
/// temperature [`TOO_SURE`] says.
pub(crate) fn too_sure(round: u32, record: u32) -> [f32; 10] {
    let hash = *blake3::hash(&[round.to_le_bytes(), record.to_le_bytes()].concat()).as_bytes();
    let share = |byte: usize| f32::from(hash[byte]) / 256.0;
    let confidence = 0.4 + 0.55 * share(0);
    let wrong = 1 + u32::from(hash[2]) % 9;
    let class = (record + if share(1) < confidence { 0 } else { wrong }) % 10;
    let mut shares = [(1.0 - confidence) / 9.0; 10];
    shares[class as usize] = confidence;
    millstream_data::temper(&shares, 1.0 / TOO_SURE).try_into().unwrap()
}

const NOISE: Step = Step::RandAugment {
    variant: Variant::Torchvision,
    ops: 2,
    magnitude: 9.0,
    deviation: 0.0,
    bins: 31,
    p: 1.0,
    fill: [0; 3],
};

/// The views that rounds train on.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Views {
    /// One, noised.
    One,
    /// All records as they are, and those without human labels noised as well (FixMatch).
    WeakAndStrong,
}

fn views(setting: &Setting, view: impl Fn(Vec<Step>) -> View) -> Vec<RoundView> {
    let noised = RoundView::only(view(vec![NOISE]));
    match setting.views {
        Views::One => vec![noised],
        Views::WeakAndStrong => vec![RoundView::only(view(Vec::new())), RoundView { labelled: false, ..noised }],
    }
}

/// A round; the last one learns from soft labels.
fn round(number: u32, setting: &Setting, views: Vec<RoundView>) -> RoundJob {
    let batch = if matches!(setting.corpus, Corpus::Large) { 24 } else { 4 };
    let soft = (number == 2).then_some(1.0);
    let mix = setting.mixing.map(|mixing| MixJob {
        mixing,
        smoothing: 0.1,
        on_device: false,
        unlabelled: setting.unlabelled == Unlabelled::Selected,
    });
    let (steps, unlabelled) = (setting.steps, setting.unlabelled);
    RoundJob { steps, batch, unlabelled_batch: 8, unlabelled, views, soft, mix }
}

fn job(setting: &Setting, files: &Path) -> Job {
    let (source, side, channels) = match &setting.corpus {
        Corpus::Small => (idx(files, 300, 8, 1), 8, 1),
        Corpus::Large => (idx(files, 60, 256, 3), 256, 3),
        Corpus::Folder(path) => (SourceConfig::Folder { path: path.clone(), layout: FolderLayout::Classes }, 8, 1),
    };
    let manifest = Arc::new(manifest(&source, setting));
    let shape = Shape { height: side, width: side, channels };
    let view = |steps| View::new(steps, (side, side, channels)).unwrap();
    Job {
        seed: setting.seed,
        classes: manifest.classes().to_vec(),
        shape,
        labelled: manifest.split("labelled").to_vec(),
        unlabelled: manifest.split("unlabelled").to_vec(),
        validation: manifest.split("validation").to_vec(),
        test: manifest.split("test").to_vec(),
        rounds: (0..3).map(|number| round(number, setting, views(setting, view))).collect(),
        first_round: setting.first_round,
        first_step: setting.first_step,
        restored: setting.restored.clone(),
        known_bad: Vec::new(),
        decode: Options::default(),
        eval_view: view(Vec::new()),
        eval_batch: 16,
        memory: setting.memory,
        max_bad: setting.max_bad,
        rule: Rule { threshold: 0.6, balance: None, seed: setting.seed, classes: setting.corpus.classes() as u32 },
        calibrate: setting.calibrate,
        label_last: true,
        keep_distribution: true,
        ranks: Ranks { count: setting.ranks, workers: setting.workers / setting.ranks as usize, resting: 0 },
        manifest,
    }
}

/// `per_class` labelled records of each class, `test` test records, twelve of each class to validate if wanted, the rest
/// without labels.
fn manifest(source: &SourceConfig, setting: &Setting) -> Manifest {
    let (per_class, test) = setting.corpus.split();
    let split = |name: &str, except: &[&str], take| SplitConfig {
        name: name.to_owned(),
        from: vec!["all".to_owned()],
        except: except.iter().map(|name| (*name).to_owned()).collect(),
        take,
    };
    // Every run writes its IDX files to another folder: their keys must not depend on it.
    let key = match source {
        SourceConfig::Idx { .. } => KeyKind::Content,
        _ => KeyKind::Place,
    };
    let source = millstream_data::open(source, key).unwrap();
    let share = f64::from(test) / source.records().len() as f64;
    let aside: &[&str] = if setting.validation { &["test", "validation"] } else { &["test"] };
    let mut splits = vec![
        split("test", &[], Take::Fraction(share)),
        split("labelled", aside, Take::PerClass(per_class)),
        split("unlabelled", &[aside, &["labelled"]].concat(), Take::All),
    ];
    if setting.validation {
        splits.push(split("validation", &["test"], Take::PerClass(12)));
    }
    Manifest::build(vec![("all".to_owned(), source)], &splits, setting.seed).unwrap()
}

/// Writes `count` images of noise, class = position mod 10, as plain IDX files.
fn idx(files: &Path, count: u32, side: u32, channels: u32) -> SourceConfig {
    let mut images = vec![0, 0, 8, if channels == 1 { 3 } else { 4 }];
    images.extend([count, side, side].iter().flat_map(|n| n.to_be_bytes()));
    if channels > 1 {
        images.extend(channels.to_be_bytes());
    }
    let mut noise = vec![0; (count * side * side * channels) as usize];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    images.extend(noise);
    let mut labels = vec![0, 0, 8, 1];
    labels.extend(count.to_be_bytes());
    labels.extend((0..count).map(|i| (i % 10) as u8));
    let (images_path, labels_path) = (files.join("images-idx"), files.join("labels-idx"));
    std::fs::write(&images_path, images).unwrap();
    std::fs::write(&labels_path, labels).unwrap();
    SourceConfig::Idx { images: images_path, labels: Some(labels_path) }
}

/// Four class folders of PNG files in all, `bad` of them cut short. Returns the places of these, sorted.
pub(crate) fn broken_folder(count: u32, bad: u32) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut places = Vec::new();
    for i in 0..count {
        let path = folder.path().join(format!("class{}/{i:03}.png", i % 4));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixels = image::GrayImage::from_fn(12, 12, |x, y| image::Luma([(x * 7 + y * 13 + i * 31) as u8]));
        pixels.save(&path).unwrap();
        if i % (count / bad) == 3 && (places.len() as u32) < bad {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            places.push(path.to_string_lossy().into_owned());
        }
    }
    places.sort();
    assert_eq!(places.len(), bad as usize);
    (folder, places)
}

/// Resident memory of this process.
pub(crate) fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}
