//! Why a search cannot be done.

use std::path::PathBuf;

use millstream_spec::Diagnostics;

use crate::error::ClusterError;

/// Why a search cannot be done as asked.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The pipeline does not say what to try.
    #[error(
        "the pipeline has no section `search`: say what is to be tried with `--over KEY=[A, B, ...]`, or write `search: {{ over: {{ KEY: [A, B, ...] }} }}`"
    )]
    Nothing,
    /// Halving needs the results of all trials of a rung before the next.
    #[error(
        "a search with `halving` cannot be shared, since each rung needs all results of the one before: leave out `--share` or `search.halving`"
    )]
    SharedHalving,
    /// A combination of settings is no pipeline.
    #[error("with {settings} this is no pipeline:\n{source}")]
    Combination {
        /// The settings.
        settings: String,
        /// What is wrong with it.
        source: Diagnostics,
    },
    /// Two combinations of settings are the same pipeline.
    #[error(
        "{one} and {other} make the same pipeline: nothing takes notice of one of these keys. Does each round have a value of its own?"
    )]
    Twins {
        /// The settings.
        one: String,
        /// Other settings.
        other: String,
    },
    /// Combinations have other data.
    #[error(
        "{settings} has other images than the combinations before it: `seed` and `data` decide what is held out, and accuracies on other images cannot be compared"
    )]
    OtherData {
        /// The settings.
        settings: String,
    },
    /// There are too many combinations of settings.
    #[error("there are more than {most} combinations: list fewer values, or draw some of them with `search.trials`")]
    TooMany {
        /// How many are allowed.
        most: usize,
    },
    /// The folds of the labelled images are too small.
    #[error("{labelled} labelled images are too few to hold out one of {folds} folds: lower `search.folds`")]
    FewForFolds {
        /// Labelled images.
        labelled: usize,
        /// Folds.
        folds: u32,
    },
    /// A trial cannot be run.
    #[error("{settings}: {source}")]
    Trial {
        /// Its settings.
        settings: String,
        /// Why.
        source: Box<ClusterError>,
    },
    /// The directory is something else.
    #[error("{path} is not empty and holds no search: choose a new or empty directory with `--out`", path = path.display())]
    NotASearch {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds a search already.
    #[error("{path} holds a search already. Use `--resume` to go on with it, also with other values; `--overwrite` to start anew; or `--out DIR` for another place", path = path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
}
