//! What a look at a data set found, as `report.json` has it.
//!
//! The fields stand in the order of the file. Equal data give equal bytes, whatever the number of workers.

use serde::Serialize;

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// All that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataReport {
    /// The version of the format: 1.
    pub version: u32,
    /// The splits, in the order in which they were named.
    pub splits: Vec<SplitReport>,
    /// The classes, in the order of their labels: numbers, then names. Empty where nothing is labelled.
    pub classes: Vec<ClassReport>,
    /// How uneven the classes of the first split are; none with fewer than two classes.
    pub balance: Option<Balance>,
    /// What `normalize` of a pipeline should be: that of the first split. None without a single image.
    pub normalize: Option<Normalize>,
    /// Records that show the same image.
    pub duplicates: DuplicatesReport,
    /// Records that cannot be used.
    pub broken: BrokenReport,
    /// Records at the ends: the least sharp, the darkest and the brightest.
    pub extremes: Extremes,
    /// Labels that are probably wrong, where a model was given; else nothing.
    pub labels: Option<LabelsReport>,
}

/// One split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitReport {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub inputs: Vec<String>,
    /// Its records.
    pub records: u64,
    /// Those that cannot be used.
    pub broken: u64,
    /// Usable ones with a label.
    pub labelled: u64,
    /// Usable ones without colours.
    pub gray: u64,
    /// Widths of the upright images, in pixels.
    pub width: Spread,
    /// Heights, in pixels.
    pub height: Spread,
    /// Width by height.
    pub aspect: Spread,
    /// Mean brightness, 0 to 255.
    pub brightness: Spread,
    /// Variance of the Laplacian where the longer side has 256 pixels at most.
    pub sharpness: Spread,
    /// The most frequent sizes, at most 10.
    pub sizes: Vec<SizeCount>,
    /// Parts of the input that are not there, in words, at most 100.
    pub missing: Vec<String>,
}

/// How a figure is spread over images: seven of the values that there are (nearest rank). All 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// Of 5 % of the images it is no more than this.
    pub p5: f64,
    /// The lower quartile.
    pub p25: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub p75: f64,
    /// Of 95 % it is no more than this.
    pub p95: f64,
    /// The most.
    pub most: f64,
}

/// A size, and how many images have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeCount {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Images.
    pub images: u64,
}

/// One class, over all splits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassReport {
    /// Its label.
    pub name: String,
    /// Its usable records in each split.
    pub records: Vec<u64>,
    /// Median width in pixels.
    pub width: f64,
    /// Median height in pixels.
    pub height: f64,
    /// Median of width by height.
    pub aspect: f64,
    /// Mean brightness, 0 to 255.
    pub brightness: Spread,
    /// Variance of the Laplacian where the longer side has 256 pixels at most.
    pub sharpness: Spread,
}

/// How uneven classes are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Balance {
    /// The class with most records, and how many.
    pub largest: (String, u64),
    /// The class with fewest, and how many; perhaps none.
    pub smallest: (String, u64),
    /// The first by the second; none where the second is 0.
    pub ratio: Option<f64>,
    /// The greatest difference between the shares that a class has in two splits, in [0, 1]; none of one split.
    pub shift: Option<f64>,
}

/// Channel means and standard deviations in [0, 1]: one number for data without colours, else three (RGB). Each image counts the same,
/// whatever its size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Normalize {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations over all pixels.
    pub std: Vec<f64>,
}

/// Records that show the same image.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DuplicatesReport {
    /// Bits in which perceptual hashes of near duplicates differ, at most.
    pub distance: u32,
    /// How much near duplicates correlate at 32 x 32 pixels in gray, at least; images with hardly any contrast somewhat less.
    pub likeness: f64,
    /// Groups of records with the same bytes, and with nothing near beside them.
    pub exact_groups: u64,
    /// Groups in which some records are only near.
    pub near_groups: u64,
    /// Records that repeat another one: all of each group but its first.
    pub repeats: u64,
    /// Groups whose records have different labels: at least one of them is wrong.
    pub contradictions: u64,
    /// Groups that lie in several splits.
    pub leaks: u64,
    /// Records of the second split that repeat one of the first, for every two splits.
    pub leaked: Vec<Leaked>,
    /// The groups: leaks first, then contradictions, then the others, each in the order of the data; at most 10,000.
    pub groups: Vec<GroupReport>,
}

/// What two splits have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leaked {
    /// A split.
    pub from: String,
    /// A split that was named after it.
    pub into: String,
    /// Records of the latter that repeat a record of the former.
    pub records: u64,
}

/// Records that show the same image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupReport {
    /// Whether all have the same bytes.
    pub exact: bool,
    /// Whether they lie in several splits.
    pub leak: bool,
    /// Whether their labels differ.
    pub contradiction: bool,
    /// How many there are.
    pub count: u64,
    /// The records in the order of the data, at most 100.
    pub records: Vec<RecordReport>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordReport {
    /// Its key, 32 hexadecimal digits.
    pub key: String,
    /// Where it lies.
    pub place: String,
    /// Its split.
    pub split: String,
    /// What the data says it is, if it does.
    pub label: Option<String>,
}

/// Records that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BrokenReport {
    /// How many.
    pub count: u64,
    /// The first of them in the order of the data, at most 10,000.
    pub records: Vec<BrokenRecord>,
}

/// A record that cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BrokenRecord {
    /// Its key, 32 hexadecimal digits.
    pub key: String,
    /// Where it lies.
    pub place: String,
    /// Its split.
    pub split: String,
    /// What the data says it is, if it does.
    pub label: Option<String>,
    /// `read`, `decode` or `augment`.
    pub stage: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Records at the ends, at most 8 each, the outermost first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Extremes {
    /// The least sharp.
    pub blurred: Vec<Extreme>,
    /// The darkest.
    pub dark: Vec<Extreme>,
    /// The brightest.
    pub bright: Vec<Extreme>,
}

/// A record at an end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Extreme {
    /// The figure by which it stands there.
    pub value: f64,
    /// The record.
    pub record: RecordReport,
}

/// Labels that are probably wrong, by confident learning (Northcutt et al. 2021).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelsReport {
    /// The model file.
    pub model: String,
    /// What the labels were held against.
    pub judge: Judge,
    /// Labelled records that were judged.
    pub judged: u64,
    /// The share of them whose label is the most probable class, in [0, 1].
    pub agreement: f64,
    /// The share that always naming the largest class would agree with.
    pub majority: f64,
    /// The penalty of the regression, in shares of the mean square of a feature; none where there is no regression.
    pub penalty: Option<f64>,
    /// The temperature of the softmax over what the regression predicts; none where there is no regression.
    pub temperature: Option<f64>,
    /// What the model must say of each class for a record to count as one of it: the mean over the records that are labelled so.
    pub thresholds: Vec<f64>,
    /// Records whose label is probably wrong: they count as another class.
    pub issues: u64,
    /// How many records of each class (row) count as each other class (column); empty for more than 100 classes.
    pub joint: Vec<Vec<u64>>,
    /// The worst first: records that count as another class, then those of which another class is only more probable; by score.
    pub candidates: Vec<Candidate>,
}

impl LabelsReport {
    /// Whether the model is better at these labels than whoever always names the largest class, by a fifth of what is left at least; else
    /// what it says of them is worth nothing.
    pub fn can_judge(&self) -> bool {
        self.agreement - self.majority >= 0.2 * (1.0 - self.majority)
    }
}

/// What labels were held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The probabilities that the model gives. They mean something where it has not learned from these very labels.
    Probabilities,
    /// A ridge regression of the model's embeddings onto the labels, each record left out when it is judged, with all that show the same.
    Embeddings,
}

/// A label that is probably wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The record, with the label that the data has.
    pub record: RecordReport,
    /// The class that it counts as, or else the most probable one.
    pub suggested: String,
    /// Whether it counts as that class.
    pub confident: bool,
    /// The normalised margin of the given label, in [0, 1]: the smaller, the more probably wrong.
    pub score: f32,
    /// How probable the given label is.
    pub given_probability: f32,
    /// How probable the suggested one is.
    pub suggested_probability: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_knows_little_more_than_the_largest_class_cannot_judge() {
        let judges = |agreement, majority| {
            let (model, judge, thresholds, joint) = (String::new(), Judge::Embeddings, Vec::new(), Vec::new());
            let (penalty, temperature, judged, issues) = (None, None, 10, 0);
            let candidates = Vec::new();
            LabelsReport {
                model,
                judge,
                judged,
                agreement,
                majority,
                penalty,
                temperature,
                thresholds,
                issues,
                joint,
                candidates,
            }
            .can_judge()
        };
        assert!(judges(0.91, 0.05) && judges(0.95, 0.9) && judges(0.7, 0.5));
        assert!(!judges(0.27, 0.5) && !judges(0.55, 0.5) && !judges(0.91, 0.9));
    }
}
