//! Chooses a training set out of answers of bulk jobs: finds their files, the corrections and the thresholds, and lets the label
//! book decide.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millstream_data::answer::{Row, class_of, read_corrections};
use millstream_data::store::{Location, Store};
use millstream_data::{DataError, Key, LabelRow};
use millstream_dataflow::Stop;
use millstream_dataflow::curate::{
    Agreement, Choosing, Chosen, Correction, Deduplication, ENOUGH, Label, Parts, Policy, Provenance, Pseudo, Search,
    Validated, Verdict, class_thresholds, pseudo,
};

use crate::error::ClusterError;
use crate::group::{Group, on_workers};
use crate::relabel::{AnswerFiles, rows};

/// What a training set is chosen from, and how.
#[derive(Clone, Debug)]
pub struct CurateOptions {
    /// Places of answers, each of another teacher.
    pub answers: Vec<String>,
    /// Places of answers that label the members anew; none, or one for each of `answers`.
    pub reassign: Vec<String>,
    /// How labels are chosen; the number of classes is that of the answers.
    pub policy: Policy,
    /// The least precision of each class, in (0, 1], and the places of answers of the same teachers about held-out records with
    /// labels: thresholds are found that keep it there.
    pub precision: Option<(f64, Vec<String>)>,
    /// Whether the probabilities of all classes are kept.
    pub soft: bool,
    /// Whether people gave the labels that the data came with.
    pub trusted: bool,
    /// Files of corrections; later ones correct earlier ones.
    pub corrections: Vec<PathBuf>,
    /// What is done about duplicates, if they are looked for.
    pub duplicates: Option<DuplicateOptions>,
    /// Worker threads.
    pub workers: usize,
}

/// How duplicates are looked for.
#[derive(Clone, Debug)]
pub struct DuplicateOptions {
    /// What is done about them.
    pub policy: Deduplication,
    /// Bits in which perceptual hashes may differ.
    pub distance: u32,
    /// Places of answers about test images.
    pub test: Vec<String>,
}

/// A training set, and the answers it is made of.
#[derive(Debug)]
pub struct Curation {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// What was chosen.
    pub chosen: Chosen,
    /// The thresholds that keep the precision, class by class, if one was asked for.
    pub thresholds: Vec<f32>,
    /// What people say of records that there are no answers to; they are left out.
    pub unknown: LeftOut,
    /// What people say of records whose images cannot be read; they are left out.
    pub unreadable: LeftOut,
    /// Teachers that have hardly a record in common.
    pub strangers: Vec<Strangers>,
    store: Store,
    sets: Vec<AnswerFiles>,
}

/// Corrections that are left out.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// How many.
    pub count: u64,
    /// The first of their records, by its key or its place.
    pub first: Option<String>,
}

impl LeftOut {
    fn add(&mut self, record: String) {
        self.count += 1;
        self.first.get_or_insert(record);
    }
}

/// Two teachers that share less than half of the records of the one that has fewer.
#[derive(Clone, Debug)]
pub struct Strangers {
    /// The answers of one.
    pub first: String,
    /// The answers of the other.
    pub second: String,
    /// How many records both have labelled.
    pub shared: u64,
    /// How many the one with fewer has labelled.
    pub smaller: u64,
}

/// Chooses a training set.
///
/// # Errors
/// [`ClusterError::Answers`] for answers that do not go together or lack what is asked for, [`ClusterError::Corrections`],
/// [`ClusterError::Policy`], [`ClusterError::Stopped`], and whatever files are to blame for.
pub fn curate(options: &CurateOptions, stop: &Stop) -> Result<Curation, ClusterError> {
    let store = Store::from_env();
    let teachers = Teachers::open(&store, options)?;
    let classes = teachers.classes().to_vec();
    let mut policy = options.policy.clone();
    policy.rule.classes = u32::try_from(classes.len()).unwrap_or(u32::MAX);
    if let Some((precision, _)) = options.precision {
        policy.thresholds = teachers.thresholds(&store, policy.agreement, precision)?;
    }
    let heard = Corrector { store: &store, teachers: &teachers }.read(&options.corrections)?;
    let thresholds = policy.thresholds.clone();
    let choosing = Arc::new(Choosing::new(Parts {
        store: store.clone(),
        teachers: files(&teachers.first),
        again: files(&teachers.again),
        classes: classes.clone(),
        policy,
        soft: options.soft,
        trusted: options.trusted,
        corrections: heard.said,
        duplicates: options.duplicates.as_ref().map(|wanted| Search {
            policy: wanted.policy,
            distance: wanted.distance,
            test: files(&teachers.test).concat(),
        }),
        stop: stop.clone(),
    })?);
    let working = Arc::clone(&choosing);
    on_workers(Group::alone(options.workers), stop, move |worker| working.run(worker))?;
    if let Some(reason) = stop.reason() {
        return Err(reason.clone().into());
    }
    let chosen = choosing.chosen();
    let strangers = strangers(&teachers.first, &chosen);
    let sets = teachers.first.into_iter().chain(teachers.again).collect();
    let Heard { unknown, unreadable, .. } = heard;
    Ok(Curation { classes, chosen, thresholds, unknown, unreadable, strangers, store, sets })
}

impl Curation {
    /// The rows of the label file: the members in the order in which the answers have them, each once.
    pub fn rows(&self) -> impl Iterator<Item = Result<LabelRow, DataError>> {
        let mut written = vec![false; self.chosen.labels.len()];
        self.answers().filter_map(move |row| match row {
            Ok(row) => {
                let found = self.chosen.labels.binary_search_by_key(&row.key, |(key, _)| *key).ok()?;
                let first = !std::mem::replace(&mut written[found], true);
                first.then(|| Ok(self.label_row(row, &self.chosen.labels[found].1)))
            }
            Err(error) => Some(Err(error)),
        })
    }

    /// All answers, teacher by teacher.
    fn answers(&self) -> impl Iterator<Item = Result<Row, DataError>> {
        rows(&self.store, self.sets.iter())
    }

    fn label_row(&self, row: Row, label: &Label) -> LabelRow {
        let (confidence, round, model, import) = match label.provenance {
            Provenance::Human { import } => (1.0, 0, String::new(), Some(import)),
            Provenance::Pseudo { round, model, confidence } => (confidence.get(), round, self.model(model), None),
        };
        LabelRow {
            key: row.key,
            place: row.place,
            class: label.class,
            class_name: self.classes.get(label.class as usize).cloned().unwrap_or_default(),
            confidence,
            distribution: label.distribution.iter().map(|share| share.get()).collect(),
            round,
            model,
            selected: true,
            copies: label.copies,
            import,
        }
    }

    /// The whole hash of a model; what several make together has none, and stays as it is.
    fn model(&self, short: u64) -> String {
        let head = format!("{short:016x}");
        let whole = self.sets.iter().map(AnswerFiles::model).find(|hash| hash.starts_with(&head));
        whole.map_or(head, str::to_owned)
    }
}

fn strangers(sets: &[AnswerFiles], chosen: &Chosen) -> Vec<Strangers> {
    let mut strangers = Vec::new();
    for (first, one) in (0_u32..).zip(sets) {
        for (second, other) in (0_u32..).zip(sets).filter(|(second, _)| *second > first) {
            let (shared, smaller) = (chosen.shared(first, second), one.answered().min(other.answered()));
            if shared < smaller.div_ceil(2) {
                let (first, second) = (one.place().to_owned(), other.place().to_owned());
                strangers.push(Strangers { first, second, shared, smaller });
            }
        }
    }
    strangers
}

fn files(sets: &[AnswerFiles]) -> Vec<Vec<Location>> {
    sets.iter().map(|set| set.files().to_vec()).collect()
}

/// The sets of answers that a training set is made of.
struct Teachers {
    first: Vec<AnswerFiles>,
    again: Vec<AnswerFiles>,
    held_out: Vec<AnswerFiles>,
    test: Vec<AnswerFiles>,
}

impl Teachers {
    fn open(store: &Store, options: &CurateOptions) -> Result<Self, ClusterError> {
        let open = |places: &[String]| places.iter().map(|place| AnswerFiles::open(store, place)).collect();
        let held_out = options.precision.iter().map(|(_, places)| open(places)).next();
        let test = options.duplicates.iter().map(|wanted| open(&wanted.test)).next();
        let teachers = Teachers {
            first: open(&options.answers)?,
            again: open(&options.reassign)?,
            held_out: held_out.unwrap_or_else(|| Ok(Vec::new()))?,
            test: test.unwrap_or_else(|| Ok(Vec::new()))?,
        };
        teachers.check(options)?;
        Ok(teachers)
    }

    fn classes(&self) -> &[String] {
        self.first.first().map_or(&[], AnswerFiles::classes)
    }

    fn check(&self, options: &CurateOptions) -> Result<(), ClusterError> {
        let each = || self.first.iter().chain(&self.again).chain(&self.held_out);
        let refuse = |set: &AnswerFiles, problem: &str| {
            Err(ClusterError::Answers { place: set.place().to_owned(), problem: problem.to_owned() })
        };
        if let Some(other) = each().find(|set| set.classes() != self.classes()) {
            return refuse(other, "their classes are not those of the first answers, or in another order");
        }
        let needed = options.soft || options.policy.agreement == Agreement::Mean && self.first.len() > 1;
        if let Some(poor) = each().find(|set| needed && !set.set().distribution) {
            return refuse(
                poor,
                "soft labels and means need the probabilities of all classes; label anew with `--distribution`",
            );
        }
        let mut printed = self.first.iter().chain(&self.test).filter(|_| options.duplicates.is_some());
        if let Some(poor) = printed.find(|set| !set.set().fingerprint) {
            return refuse(
                poor,
                "duplicates are found by fingerprints, which they lack; label anew with `--fingerprint`",
            );
        }
        let mut pairs = self.held_out.iter().zip(&self.first);
        if let Some((set, _)) = pairs.find(|(held_out, own)| held_out.model() != own.model()) {
            return refuse(
                set,
                "another model gave them; thresholds need answers of the same models, in the same order",
            );
        }
        Ok(())
    }

    /// The thresholds that keep a precision on the held-out records.
    fn thresholds(&self, store: &Store, agreement: Agreement, precision: f64) -> Result<Vec<f32>, ClusterError> {
        let mut said: BTreeMap<Key, (u32, Vec<Pseudo>)> = BTreeMap::new();
        for set in &self.held_out {
            let model = set.set().model_hash();
            for row in rows(store, std::iter::once(set)) {
                let row = row?;
                let label = row.label.as_deref().and_then(|label| class_of(label, self.classes()));
                if let (Some(label), Ok(told)) = (label, &row.said) {
                    said.entry(row.key).or_insert_with(|| (label, Vec::new())).1.push(pseudo(told, 0, &model, true));
                }
            }
        }
        let classes = self.classes().len();
        let judged = said.into_values().filter_map(|(label, said)| {
            let all: Vec<&Pseudo> = said.iter().collect();
            agreement.combine(&all).map(|said| validated(label, &said, classes))
        });
        let judged: Vec<Validated> = judged.collect();
        if judged.is_empty() {
            let place = self.held_out.first().map_or_else(String::new, |set| set.place().to_owned());
            let problem = "not one of the held-out records has a label that is a class of the model".to_owned();
            return Err(ClusterError::Answers { place, problem });
        }
        Ok(class_thresholds(&judged, u32::try_from(classes).unwrap_or(u32::MAX), precision, ENOUGH))
    }
}

/// A label as thresholds see it: the class that was named, and how surely.
fn validated(label: u32, said: &Pseudo, classes: usize) -> Validated {
    let mut probabilities = vec![0.0; classes];
    if let Some(named) = probabilities.get_mut(said.class as usize) {
        *named = said.confidence.get();
    }
    Validated { label, probabilities }
}

/// What people say, as far as it can be followed.
#[derive(Default)]
struct Heard {
    said: Vec<(Key, Correction)>,
    unknown: LeftOut,
    unreadable: LeftOut,
}

/// Reads what people say, in terms of the answers.
struct Corrector<'a> {
    store: &'a Store,
    teachers: &'a Teachers,
}

impl Corrector<'_> {
    /// The corrections of all files. Import 1 is the first file.
    fn read(&self, files: &[PathBuf]) -> Result<Heard, ClusterError> {
        let mut heard = Heard::default();
        let mut all = Vec::new();
        for (path, import) in files.iter().zip(1..) {
            let keys = self.keys_of(path)?;
            let found = read_corrections(path, |place| keys.get(place).copied())?;
            for said in found.said {
                let verdict = self.verdict(path, said.class)?;
                all.push((said.key, Correction { import, verdict }));
            }
            found.nowhere.into_iter().for_each(|place| heard.unknown.add(place));
        }
        let seen = self.seen(&all)?;
        for (key, correction) in all {
            match (seen.get(&key), correction.verdict) {
                (Some(true), _) => heard.said.push((key, correction)),
                (Some(false), Verdict::Class(_)) => heard.unreadable.add(key.to_string()),
                // It is in no training set anyway.
                (Some(false), Verdict::Reject) => {}
                (None, _) => heard.unknown.add(key.to_string()),
            }
        }
        Ok(heard)
    }

    /// Of records that something is said of and that there are answers to: whether a teacher could look at their image.
    fn seen(&self, said: &[(Key, Correction)]) -> Result<BTreeMap<Key, bool>, ClusterError> {
        let mut wanted: BTreeSet<Key> = said.iter().map(|(key, _)| *key).collect();
        let mut seen = BTreeMap::new();
        for row in rows(self.store, self.teachers.first.iter()) {
            if wanted.is_empty() {
                break;
            }
            let row = row?;
            if wanted.contains(&row.key) {
                seen.insert(row.key, row.said.is_ok());
            }
            // Another teacher may have had more luck.
            if row.said.is_ok() {
                wanted.remove(&row.key);
            }
        }
        Ok(seen)
    }

    fn verdict(&self, path: &Path, class: Option<String>) -> Result<Verdict, ClusterError> {
        let Some(name) = class else { return Ok(Verdict::Reject) };
        let found = self.teachers.classes().iter().position(|class| *class == name);
        let class = found.and_then(|class| u32::try_from(class).ok());
        class.map(Verdict::Class).ok_or_else(|| {
            let some: Vec<&str> = self.teachers.classes().iter().take(5).map(String::as_str).collect();
            let problem = format!(
                "`{name}` is no class of the model, whose classes are {} and so on; write a class, or `rejected` for none",
                some.join(", ")
            );
            ClusterError::Corrections { path: path.to_owned(), problem }
        })
    }

    /// The keys of the places that a file names. Only those places are held, not all of the corpus.
    fn keys_of(&self, path: &Path) -> Result<BTreeMap<String, Key>, ClusterError> {
        let named = RefCell::new(BTreeSet::new());
        let note = |place: &str| {
            named.borrow_mut().insert(place.to_owned());
            Some(Key(0))
        };
        read_corrections(path, note)?;
        let mut named = named.into_inner();
        let mut keys = BTreeMap::new();
        for row in rows(self.store, self.teachers.first.iter()) {
            if named.is_empty() {
                break;
            }
            let row = row?;
            if let Some(place) = named.take(&row.place) {
                keys.insert(place, row.key);
            }
        }
        Ok(keys)
    }
}
