//! The page about a data set.

use millstream_cluster::{
    Candidate, DataReport, Examined, Extreme, GroupReport, Judge, LabelsReport, MeanImage, Normalize, RecordReport,
    SplitReport, Spread,
};
use millstream_dataflow::examine::MEAN_SIDE;
use millstream_imageops::{Image, encode_png};
use millstream_pages::{Bars, Boxes, Five, Group, Matrix, Page};

use super::pictures::Pictures;
use crate::table;

/// Groups of duplicates of each sort that are shown, and pictures of each.
const GROUPS: usize = 15;
const OF_GROUP: usize = 6;
/// Classes and broken records that are listed.
const MOST_CLASSES: usize = 200;
const MOST_BROKEN: usize = 50;

/// The whole page.
pub(super) fn page(found: &Examined) -> String {
    let report = &found.report;
    let pictures = Pictures::of(shown(report));
    let names: Vec<&str> = report.splits.iter().map(|split| split.name.as_str()).collect();
    let mut page = Page::new(&format!("Data: {}", names.join(", ")));
    problems(&mut page, report);
    classes(&mut page, report);
    sizes(&mut page, report);
    mean_images(&mut page, found);
    duplicates(&mut page, report, &pictures);
    broken(&mut page, report);
    if let Some(labels) = &report.labels {
        wrong_labels(&mut page, report, labels, &pictures);
    }
    extremes(&mut page, report, &pictures);
    page.finish()
}

/// What a pipeline has to say for the images to have mean 0 and deviation 1.
pub(super) fn normalize(found: &Normalize) -> String {
    let list = |values: &[f64]| values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ");
    format!("normalize: {{ mean: [{}], std: [{}] }}", list(&found.mean), list(&found.std))
}

/// The groups that are shown: some of each sort.
fn groups(report: &DataReport) -> [(&'static str, Vec<&GroupReport>); 3] {
    let of = |wanted: fn(&GroupReport) -> bool| {
        report.duplicates.groups.iter().filter(|group| wanted(group)).take(GROUPS).collect()
    };
    [
        ("Leaks: the same image in several splits", of(|group| group.leak)),
        ("Different labels on the same image", of(|group| !group.leak && group.contradiction)),
        ("Repeats within a split", of(|group| !group.leak && !group.contradiction)),
    ]
}

/// The records whose pictures are shown.
fn shown(report: &DataReport) -> impl Iterator<Item = &RecordReport> {
    let of_groups = groups(report).into_iter().flat_map(|(_, groups)| groups);
    let of_groups = of_groups.flat_map(|group| group.records.iter().take(OF_GROUP));
    let candidates = report.labels.iter().flat_map(|labels| &labels.candidates).map(|candidate| &candidate.record);
    let ends = [&report.extremes.blurred, &report.extremes.dark, &report.extremes.bright];
    of_groups.chain(candidates).chain(ends.into_iter().flatten().map(|extreme| &extreme.record))
}

fn problems(page: &mut Page, report: &DataReport) {
    let head = ["split", "records", "broken", "labelled", "median size", "mean brightness", "where"];
    let row = |split: &SplitReport| {
        vec![
            split.name.clone(),
            split.records.to_string(),
            split.broken.to_string(),
            split.labelled.to_string(),
            format!("{} x {}", split.width.median, split.height.median),
            format!("{:.0}", split.brightness.median),
            split.inputs.join(" "),
        ]
    };
    page.table(&head, &report.splits.iter().map(row).collect::<Vec<_>>());
    for missing in report.splits.iter().flat_map(|split| &split.missing) {
        page.text(&format!("Not found: {missing}"));
    }
    page.section("Problems");
    let duplicates = &report.duplicates;
    let ratio = report.balance.as_ref().map(|balance| match balance.ratio {
        Some(ratio) => format!("{ratio:.1} to 1"),
        None => "a class of the first split is empty".to_owned(),
    });
    let shift = report.balance.as_ref().and_then(|balance| balance.shift).map(table::percent);
    let rows = [
        ("records that cannot be used", Some(report.broken.count.to_string())),
        ("images in several splits", (report.splits.len() > 1).then(|| duplicates.leaks.to_string())),
        ("images with different labels", Some(duplicates.contradictions.to_string())),
        ("records that repeat another one", Some(duplicates.repeats.to_string())),
        ("labels that are probably wrong", report.labels.as_ref().map(|labels| labels.issues.to_string())),
        ("largest class by smallest", ratio),
        ("greatest difference of a class's share between splits", shift),
    ];
    let rows: Vec<Vec<String>> =
        rows.into_iter().filter_map(|(what, found)| Some(vec![what.to_owned(), found?])).collect();
    page.table(&["", "found"], &rows);
    if let Some(found) = &report.normalize {
        let split = report.splits.first().map_or("", |split| &split.name);
        page.text(&format!(
            "For the pipeline: means and standard deviations of the channels of {split}, where each image counts the same whatever its size."
        ));
        page.code(&normalize(found));
    }
    let gray: u64 = report.splits.iter().map(|split| split.gray).sum();
    let usable: u64 = report.splits.iter().map(|split| split.records - split.broken).sum();
    if gray > 0 && gray < usable {
        page.text(&format!("{gray} of {usable} images have no colours; they count as RGB with equal channels."));
    }
}

fn classes(page: &mut Page, report: &DataReport) {
    page.section("Classes");
    if report.classes.is_empty() {
        page.text("Nothing is labelled: there is nothing to say of classes.");
        return;
    }
    let names: Vec<String> = report.classes.iter().map(|class| class.name.clone()).collect();
    let group = |(number, split): (usize, &SplitReport)| Group {
        name: split.name.clone(),
        values: report
            .classes
            .iter()
            .map(|class| class.records.get(number).map_or(0.0, |count| *count as f64))
            .collect(),
    };
    let counts = Bars {
        title: "records of each class".to_owned(),
        upward: "records".to_owned(),
        names: names.clone(),
        groups: report.splits.iter().enumerate().map(group).collect(),
    };
    let boxes = |title: &str, upward: &str, of: fn(&millstream_cluster::ClassReport) -> &Spread| Boxes {
        title: format!("{title} of each class: 5, 25, 50, 75 and 95 % of its images"),
        upward: upward.to_owned(),
        names: names.clone(),
        values: report.classes.iter().map(|class| five(of(class))).collect(),
    };
    page.charts(&[
        &counts,
        &boxes("brightness", "mean of all pixels, 0 to 255", |class| &class.brightness),
        &boxes("sharpness", "variance of the Laplacian", |class| &class.sharpness),
    ]);
    page.text(
        "A class that differs from the others in size, brightness or sharpness can be told by that alone: models will.",
    );
    let records: Vec<String> = report.splits.iter().map(|split| format!("records of {}", split.name)).collect();
    let mut head: Vec<&str> = vec!["class"];
    head.extend(records.iter().map(String::as_str));
    head.extend(["median size", "aspect", "brightness", "sharpness"]);
    let row = |class: &millstream_cluster::ClassReport| {
        let mut row = vec![class.name.clone()];
        row.extend(class.records.iter().map(u64::to_string));
        row.push(format!("{} x {}", class.width, class.height));
        row.push(format!("{:.2}", class.aspect));
        row.push(format!("{:.0}", class.brightness.median));
        row.push(format!("{:.0}", class.sharpness.median));
        row
    };
    page.table(&head, &report.classes.iter().take(MOST_CLASSES).map(row).collect::<Vec<_>>());
    more(page, report.classes.len() as u64, MOST_CLASSES, "classes are in report.json");
}

fn five(spread: &Spread) -> Five {
    [spread.p5, spread.p25, spread.median, spread.p75, spread.p95]
}

/// That there is more than is shown.
fn more(page: &mut Page, count: u64, shown: usize, what: &str) {
    if let Some(more) = count.checked_sub(shown as u64).filter(|more| *more > 0) {
        page.text(&format!("{more} more {what}."));
    }
}

fn sizes(page: &mut Page, report: &DataReport) {
    page.section("Sizes");
    let head = ["split", "", "least", "5 %", "25 %", "median", "75 %", "95 %", "most"];
    let mut rows = Vec::new();
    for split in &report.splits {
        let SplitReport { width, height, aspect, brightness, sharpness, .. } = split;
        for (what, spread, digits) in [
            ("width", width, 0),
            ("height", height, 0),
            ("width by height", aspect, 2),
            ("brightness", brightness, 0),
            ("sharpness", sharpness, 0),
        ] {
            let values = [spread.least, spread.p5, spread.p25, spread.median, spread.p75, spread.p95, spread.most];
            let mut row = vec![split.name.clone(), what.to_owned()];
            row.extend(values.map(|value| format!("{value:.digits$}")));
            rows.push(row);
        }
    }
    page.table(&head, &rows);
    for split in &report.splits {
        let sizes = split.sizes.iter().map(|size| format!("{} x {} ({})", size.width, size.height, size.images));
        let sizes: Vec<String> = sizes.collect();
        page.text(&format!("Most frequent in {}: {}.", split.name, sizes.join(", ")));
    }
}

fn mean_images(page: &mut Page, found: &Examined) {
    page.section("Mean images");
    page.text(
        "The mean of all images of a class, each brought to 64 x 64. What can be recognised is in the same place in most of them: a model \
         may learn that in place of what is meant.",
    );
    let means: Vec<MeanImage> = found.mean_images().collect();
    for of_split in means.chunk_by(|a, b| a.split == b.split) {
        page.text(&of_split[0].split);
        let picture = |mean: &MeanImage| {
            let side = MEAN_SIDE as u32;
            let image = Image::from_pixels(side, side, 3, mean.pixels.clone()).ok()?;
            let says = mean.label.clone().unwrap_or_else(|| "without a label".to_owned());
            Some((encode_png(&image).ok()?, says))
        };
        page.pictures(&of_split.iter().filter_map(picture).collect::<Vec<_>>());
    }
}

fn duplicates(page: &mut Page, report: &DataReport, pictures: &Pictures) {
    let found = &report.duplicates;
    page.section("The same images");
    page.text(&format!(
        "{} images come several times with the same bytes, {} in other bytes (perceptual hashes within {} bits, and a correlation of at \
         least {} at 32 x 32 pixels). Keep one of each, and in one split only.",
        found.exact_groups, found.near_groups, found.distance, found.likeness
    ));
    for leaked in found.leaked.iter().filter(|leaked| leaked.records > 0) {
        page.text(&format!(
            "{} records of {} repeat a record of {}: figures on {} would flatter a model.",
            leaked.records, leaked.into, leaked.from, leaked.into
        ));
    }
    for (title, groups) in groups(report) {
        if groups.is_empty() {
            continue;
        }
        page.text(&format!("{title}:"));
        groups.iter().for_each(|group| page.pictures(&of_group(group, pictures)));
    }
}

/// The pictures of a group: what joins it, and where each lies.
fn of_group(group: &GroupReport, pictures: &Pictures) -> Vec<(Vec<u8>, String)> {
    let how = if group.exact { "same bytes" } else { "near" };
    let wrong = if group.contradiction { ", labels differ" } else { "" };
    let says = |(number, record): (usize, &RecordReport)| {
        let first = if number == 0 { format!("[{} images, {how}{wrong}] ", group.count) } else { "= ".to_owned() };
        format!("{first}{}{}", place(record), label(record))
    };
    let shown = group.records.iter().take(OF_GROUP).enumerate();
    shown.filter_map(|(number, record)| pictures.of_record(record, says((number, record)))).collect()
}

/// Split and the end of the place: the whole is in report.json.
fn place(record: &RecordReport) -> String {
    let parts: Vec<&str> = record.place.rsplit('/').take(2).collect();
    format!("{}: {}", record.split, parts.into_iter().rev().collect::<Vec<_>>().join("/"))
}

fn label(record: &RecordReport) -> String {
    record.label.as_ref().map_or_else(String::new, |label| format!(" ({label})"))
}

fn broken(page: &mut Page, report: &DataReport) {
    page.section("Broken records");
    if report.broken.count == 0 {
        page.text("None: every image can be decoded to its end, and no decoder had to cover up damage.");
        return;
    }
    let row = |record: &millstream_cluster::BrokenRecord| {
        vec![record.split.clone(), record.place.clone(), record.stage.to_owned(), record.reason.clone()]
    };
    let rows: Vec<Vec<String>> = report.broken.records.iter().take(MOST_BROKEN).map(row).collect();
    page.table(&["split", "place", "stage", "why"], &rows);
    more(page, report.broken.count, MOST_BROKEN, "are in report.json");
}

/// What is said of a model that knows too little.
pub(super) fn cannot_judge(found: &LabelsReport) -> String {
    format!(
        "Do not trust this: the model agrees with {} of the labels, and always naming the largest class with {}. It cannot judge them.",
        table::percent(found.agreement),
        table::percent(found.majority)
    )
}

fn wrong_labels(page: &mut Page, report: &DataReport, found: &LabelsReport, pictures: &Pictures) {
    page.section("Labels that are probably wrong");
    page.text(&match found.judge {
        Judge::Probabilities => format!(
            "{} says how probable each class is. That means something only where it has not learned from these very labels.",
            found.model
        ),
        Judge::Embeddings => format!(
            "{} knows other classes, so a linear classifier of its features was fitted to the labels; each record was left out, with all that \
             show the same, when it was judged.",
            found.model
        ),
    });
    page.text(&format!(
        "The most probable class is the label for {} of {} records; {} count as another class (confident learning, Northcutt et al. 2021). \
         The surest come first, then those that may be; all are in label_issues.csv.",
        table::percent(found.agreement),
        found.judged,
        found.issues
    ));
    if !found.can_judge() {
        page.text(&cannot_judge(found));
    }
    let says = |candidate: &Candidate| {
        let given = candidate.record.label.clone().unwrap_or_default();
        format!(
            "{given}, {} {} (score {:.3}; {:.1} % against {:.1} %) {}",
            if candidate.confident { "probably" } else { "perhaps" },
            candidate.suggested,
            candidate.score,
            100.0 * candidate.given_probability,
            100.0 * candidate.suggested_probability,
            place(&candidate.record)
        )
    };
    let shown = found.candidates.iter();
    page.pictures(&shown.filter_map(|issue| pictures.of_record(&issue.record, says(issue))).collect::<Vec<_>>());
    if !found.joint.is_empty() && found.joint.len() == report.classes.len() {
        page.charts(&[&Matrix {
            title: "records by their label, and by the class that they count as".to_owned(),
            axes: ("given label".to_owned(), "counts as".to_owned()),
            names: report.classes.iter().map(|class| class.name.clone()).collect(),
            counts: found.joint.clone(),
        }]);
    }
}

fn extremes(page: &mut Page, report: &DataReport, pictures: &Pictures) {
    page.section("At the ends");
    let ends = &report.extremes;
    for (title, records) in
        [("The least sharp:", &ends.blurred), ("The darkest:", &ends.dark), ("The brightest:", &ends.bright)]
    {
        page.text(title);
        let says =
            |extreme: &Extreme| format!("{:.1} {}{}", extreme.value, place(&extreme.record), label(&extreme.record));
        let shown = records.iter().filter_map(|extreme| pictures.of_record(&extreme.record, says(extreme)));
        page.pictures(&shown.collect::<Vec<_>>());
    }
}
