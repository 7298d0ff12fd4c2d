//! The answers of a finished bulk job, to be read.

use millstream_data::DataError;
use millstream_data::answer::{AnswerSet, Format, Row, decode};
use millstream_data::store::{Location, Store};

use super::output::{Place, SetFile, ShardCommit, Totals};
use crate::error::ClusterError;

/// A whole set of answers in Parquet, and its files.
#[derive(Clone, Debug)]
pub(crate) struct AnswerFiles {
    place: String,
    set: SetFile,
    totals: Totals,
    files: Vec<Location>,
}

impl AnswerFiles {
    /// Finds the files that commits name, in the order of their names.
    ///
    /// # Errors
    /// [`ClusterError::NoAnswers`], or [`ClusterError::Answers`] for a job that has not come to its end or another format.
    pub(crate) fn open(store: &Store, place: &str) -> Result<Self, ClusterError> {
        let at = Place::parse(store.clone(), place)?;
        let set = at.answers()?;
        let refuse = |problem: &str| ClusterError::Answers { place: place.to_owned(), problem: problem.to_owned() };
        let unfinished = || refuse("their job has not come to its end; start it again, and it goes on from there");
        let totals = at.load::<Totals>(&at.complete()?)?.ok_or_else(unfinished)?;
        if set.settings.format != Format::Parquet {
            return Err(refuse("they are not in Parquet; label anew with `--format parquet`"));
        }
        let (mut files, mut found) = (Vec::new(), Totals::default());
        for name in at.shards()? {
            let commit: Option<ShardCommit> = at.load(&at.commit(&name?)?)?;
            let commit = commit.filter(|commit| commit.set == set.id);
            let commit = commit.ok_or_else(|| refuse("a commit is damaged; `millstream verify` says which"))?;
            found.add(commit.result());
            files.push(at.root.join(&commit.object)?);
        }
        if found != totals {
            let Totals { shards, rows, .. } = totals;
            let (theirs, ours) =
                (format!("{rows} answers in {shards} files"), format!("{} in {}", found.rows, found.shards));
            return Err(refuse(&format!(
                "their job ended with {theirs}, but there are {ours}: start it again; if they differ after that, the input has \
                 lost or changed shards, so label it anew into another place"
            )));
        }
        Ok(AnswerFiles { place: place.to_owned(), set, totals, files })
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn files(&self) -> &[Location] {
        &self.files
    }

    /// How many records have an answer.
    pub(crate) fn answered(&self) -> u64 {
        self.totals.rows.saturating_sub(self.totals.errors)
    }

    pub(crate) fn classes(&self) -> &[String] {
        &self.set.settings.classes
    }

    /// The hash of the model.
    pub(crate) fn model(&self) -> &str {
        &self.set.settings.model
    }

    /// What the files have in common.
    pub(crate) fn set(&self) -> AnswerSet {
        self.set.settings.answers()
    }
}

/// The rows of some sets, one after the other.
pub(crate) fn rows<'a>(
    store: &'a Store,
    sets: impl Iterator<Item = &'a AnswerFiles> + 'a,
) -> impl Iterator<Item = Result<Row, DataError>> + 'a {
    let of_file = |file: &Location| -> Box<dyn Iterator<Item = Result<Row, DataError>>> {
        match decode(store, file) {
            Ok(rows) => Box::new(rows),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    };
    sets.flat_map(AnswerFiles::files).flat_map(of_file)
}
