//! Several models that answer as one: the mean of their probabilities, each over the views of an image.

use std::path::{Path, PathBuf};

use millstream_data::{Batch, Shape, hash_file};
use millstream_dataflow::TrainerError;
use millstream_dataflow::relabel::{Labeller, Predictions};
use millstream_train::{Crop, Device, Session};

use crate::ask::find_model;
use crate::error::ClusterError;

/// What is known of the models of a job before they are loaded to be asked.
pub(crate) struct Models {
    files: Vec<PathBuf>,
    hashes: Vec<String>,
    classes: Vec<String>,
    shape: Shape,
    /// How many numbers the embeddings of the first have.
    embedding: usize,
}

impl Models {
    /// Finds the model files and refuses models that know other classes, or take other images, than the first.
    pub(crate) fn look(paths: &[PathBuf]) -> Result<Models, ClusterError> {
        let mut found: Option<Models> = None;
        for path in paths {
            let file = find_model(path)?;
            let hash = blake3::Hash::from(hash_file(&file)?).to_hex().to_string();
            let session = Session::load(&file, Device::Cpu, 1)?;
            let (config, embedding) = (session.config().clone(), session.embedding_width()?);
            let models = found.get_or_insert_with(|| Models {
                files: Vec::new(),
                hashes: Vec::new(),
                classes: config.classes.clone(),
                shape: config.shape,
                embedding,
            });
            models.check(&file, &config.classes, config.shape)?;
            models.files.push(file);
            models.hashes.push(hash);
        }
        found.ok_or_else(|| ClusterError::NoRun { path: PathBuf::new() })
    }

    fn check(&self, file: &Path, classes: &[String], shape: Shape) -> Result<(), ClusterError> {
        let size = |shape: Shape| format!("{}x{}x{}", shape.height, shape.width, shape.channels);
        let problem = match () {
            () if classes != self.classes => format!(
                "their classes differ ({} and {}); an ensemble is of models of the same classes in the same order",
                names(classes),
                names(&self.classes)
            ),
            () if shape != self.shape => {
                format!("one takes images of {}, the other of {}", size(shape), size(self.shape))
            }
            () => return Ok(()),
        };
        let first = self.files.first().map(|file| file.display().to_string()).unwrap_or_default();
        Err(ClusterError::Ensemble { first, second: file.display().to_string(), problem })
    }

    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The hash of each file, in hex.
    pub(crate) fn hashes(&self) -> &[String] {
        &self.hashes
    }

    /// The hash of the model; of several, the hash of their hashes.
    pub(crate) fn hash(&self) -> String {
        match &self.hashes[..] {
            [only] => only.clone(),
            several => blake3::hash(several.join("\n").as_bytes()).to_hex().to_string(),
        }
    }

    pub(crate) fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How many numbers an embedding has. Of several models there are none.
    pub(crate) fn embedding(&self) -> Result<usize, ClusterError> {
        match self.files.len() {
            1 => Ok(self.embedding),
            models => Err(ClusterError::Embeddings { models }),
        }
    }

    /// The images that they take.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }
}

/// The first few names, and how many there are.
fn names(classes: &[String]) -> String {
    let first: Vec<&str> = classes.iter().take(3).map(String::as_str).collect();
    format!("{}: {}…", classes.len(), first.join(", "))
}

/// The models, loaded.
pub(crate) struct Ensemble {
    sessions: Vec<Session>,
    views: Vec<Crop>,
    /// Whether it gives embeddings.
    embeds: bool,
}

impl Ensemble {
    pub(crate) fn load(
        files: &[PathBuf],
        device: Device,
        threads: u32,
        views: Vec<Crop>,
        embeds: bool,
    ) -> Result<Self, TrainerError> {
        let sessions = files.iter().map(|file| Session::load_folded(file, device, threads));
        Ok(Ensemble { sessions: sessions.collect::<Result<_, _>>()?, views, embeds })
    }
}

impl Labeller for Ensemble {
    fn label(&mut self, batch: &Batch) -> Result<Predictions, TrainerError> {
        let mut said = Vec::new();
        for session in &mut self.sessions {
            said.extend(session.predict_crops(batch, &self.views, self.embeds)?);
        }
        let (probabilities, embeddings) = said.into_iter().map(|said| (said.probabilities, said.embeddings)).unzip();
        Ok(Predictions { probabilities: mean(probabilities), embeddings: mean(embeddings) })
    }
}

/// The mean, number by number; of one it is that one, bit by bit.
fn mean(mut said: Vec<Vec<f32>>) -> Vec<f32> {
    let count = said.len() as f64;
    match said.len() {
        0 | 1 => said.pop().unwrap_or_default(),
        _ => {
            let mut sums = vec![0.0; said.iter().map(Vec::len).max().unwrap_or(0)];
            for numbers in &said {
                sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += f64::from(*number));
            }
            sums.into_iter().map(|sum| (sum / count) as f32).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_answers_are_averaged_and_one_stays_as_it_is() {
        assert_eq!(mean(vec![vec![0.1, 0.9]]), [0.1, 0.9]);
        assert_eq!(mean(vec![vec![0.0, 1.0], vec![0.5, 0.5], vec![1.0, 0.0]]), [0.5, 0.5]);
        assert_eq!(mean(Vec::new()), [0.0; 0]);
    }
}
