//! `predict`: labels for images, from a trained model.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use millstream_cluster::{AskOptions, ask, unlabelled};
use millstream_data::{FolderLayout, KeyKind, LabelRow, SourceConfig};
use millstream_train::{Device, Session};

use super::{bad_record, device, find_model, label_file, print, quoted, stop_on_interrupt, workers};
use crate::args::PredictArgs;
use crate::exit::{BAD_DATA, Request};
use crate::progress::{RoundWork, watch};
use crate::say::say;

/// Threads of libtorch: labels must not depend on the machine, so this is not the number of its cores.
const THREADS: u32 = 1;

pub(crate) fn predict(args: &PredictArgs) -> anyhow::Result<ExitCode> {
    args.out.as_deref().map_or(Ok(()), label_file::check)?;
    let model = find_model(&args.model)?;
    let info = Session::load(&model, Device::Cpu, THREADS)?.config().clone();
    let manifest = Arc::new(unlabelled(&source(&args.data)?, KeyKind::Place)?);
    let job = millstream_dataflow::render_predict(manifest, info.shape, info.classes)?;
    let options = AskOptions {
        workers: workers(args.workers, job.eval_batch),
        device: device(args.device.device),
        threads: THREADS,
    };
    let work = RoundWork { steps: 0, validation: 0, test: 0, label: job.unlabelled.len() as u64 };
    let answers = ask(job, &model, options, &stop_on_interrupt()?, watch(work))?;
    answers.dead.iter().map(bad_record).for_each(say);
    let nothing = answers.labels.is_empty();
    write(args.out.as_deref(), answers.labels)?;
    match nothing {
        true => Ok(ExitCode::from(BAD_DATA)),
        false => Ok(ExitCode::SUCCESS),
    }
}

/// What a path to data means.
fn source(path: &Path) -> anyhow::Result<SourceConfig> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let path = path.to_owned();
    Ok(match () {
        () if path.is_dir() => SourceConfig::Folder { path, layout: FolderLayout::Flat },
        () if name.ends_with(".csv") => SourceConfig::Csv { path, root: None },
        () if name.contains("idx") && (name.ends_with(".gz") || name.contains("ubyte")) => {
            SourceConfig::Idx { images: path, labels: None }
        }
        () => bail!(Request(format!(
            "{}: there is no such folder, IDX file (its name holds `idx`) or CSV manifest; put single images into a folder",
            path.display()
        ))),
    })
}

fn write(out: Option<&Path>, rows: Vec<LabelRow>) -> anyhow::Result<()> {
    if let Some(path) = out {
        return label_file::write(path, rows.into_iter().map(Ok));
    }
    let mut text = String::from("place,class_name,confidence\n");
    for row in rows {
        text.push_str(&format!("{},{},{:.6}\n", quoted(&row.place), quoted(&row.class_name), row.confidence));
    }
    print(&text)
}
