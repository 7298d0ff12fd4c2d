//! `relabel`: labels a corpus in bulk.

mod forecast;
pub(super) mod meter;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use millstream_cluster::{Estimate, ReadOptions, RelabelOptions, Totals, Views};
use millstream_data::answer::Format;
use millstream_data::corpus::Sample;

use super::{cores, device, kind, print, print_json, stop_on_interrupt};
use crate::args::{FormatArg, RelabelArgs, ViewArg};
use crate::exit::BadData;
use crate::say::say;
use meter::Meter;

pub(crate) fn relabel(args: &RelabelArgs) -> anyhow::Result<ExitCode> {
    let options = options(args);
    let stop = stop_on_interrupt()?;
    if args.dry_run {
        return foretell(args, &millstream_cluster::probe(&options, &stop)?);
    }
    let meter = Arc::new(Meter::new(args.limit));
    count(options.clone(), &meter)?;
    let watching = Arc::clone(&meter);
    let outcome = millstream_cluster::relabel(&options, &stop, move |event| watching.note(event));
    meter.finish();
    if stop.reason().is_some() {
        say(format_args!("  {}; the same command goes on from there", meter.kept()));
    }
    tell(args, &outcome?)
}

/// Counts the input while the job runs: what there is in all may take longer to find than the first answers do. What is wrong with the
/// input the job itself says.
fn count(options: RelabelOptions, meter: &Arc<Meter>) -> anyhow::Result<()> {
    let meter = Arc::clone(meter);
    let work = move || {
        let counted = millstream_cluster::count(&options, |counted| meter.counted(counted));
        if let Ok(counted) = counted {
            meter.all_counted(counted);
        }
    };
    std::thread::Builder::new().name("count".to_owned()).spawn(work)?;
    Ok(())
}

fn options(args: &RelabelArgs) -> RelabelOptions {
    RelabelOptions {
        inputs: args.inputs.clone(),
        reading: ReadOptions {
            kind: args.kind.map(kind),
            records: args.records as usize,
            class_folders: args.class_folders,
            root: args.root.clone(),
            image_column: args.image_column.clone(),
            label_column: args.label_column.clone(),
            labels: args.labels.clone(),
        },
        models: args.models.clone(),
        out: args.out.clone(),
        format: match args.format {
            FormatArg::Parquet => Format::Parquet,
            FormatArg::Csv => Format::Csv,
            FormatArg::Jsonl => Format::Jsonl,
        },
        top_k: args.top_k as usize,
        distribution: args.distribution,
        embedding: args.embedding,
        fingerprint: args.fingerprint,
        views: Views { crops: args.views.contains(&ViewArg::Crops), mirror: args.views.contains(&ViewArg::Flip) },
        batch: args.batch,
        sample: args.sample.map(|share| Sample { share, seed: args.seed }),
        limit: args.limit,
        workers: args.workers.map_or_else(cores, usize::from),
        threads: args.threads.map(u32::from),
        cores: u32::try_from(cores()).unwrap_or(1),
        device: device(args.device.device),
        memory: args.memory,
    }
}

/// What the job would take.
fn foretell(args: &RelabelArgs, estimate: &Estimate) -> anyhow::Result<ExitCode> {
    if args.json.json {
        print_json(estimate)?;
        return Ok(ExitCode::SUCCESS);
    }
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let Estimate { shards, lost, bytes, tried, errors, records, rate, output } = *estimate;
    print(&format!("input: {shards} shards, {} ({lost} parts not found)", megabytes(bytes)))?;
    print(&format!("tried: {tried} records, {errors} of them with errors"))?;
    print(&format!("records: {}", records.map_or_else(|| "unknown".to_owned(), |records| format!("about {records}"))))?;
    if let (Some(records), Some(rate)) = (records, rate) {
        print(&format!("time: about {:.0} s at {rate:.0} records/s", records as f64 / rate))?;
    }
    if let Some(output) = output {
        print(&format!("answers: about {}", megabytes(output)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(args: &RelabelArgs, totals: &Totals) -> anyhow::Result<ExitCode> {
    if args.json.json {
        print_json(totals)?;
    } else {
        let Totals { shards, rows, errors, bytes } = totals;
        let megabytes = *bytes as f64 / 1e6;
        print(&format!("{}: {rows} answers ({errors} errors) in {shards} files, {megabytes:.1} MB", args.out))?;
    }
    let allowed = args.max_bad.of(totals.rows);
    if totals.errors > allowed {
        let Totals { rows, errors, .. } = totals;
        bail!(BadData(format!(
            "{errors} of {rows} records are bad, more than `--max-bad` allows ({allowed}); the column `error` says why"
        )));
    }
    Ok(ExitCode::SUCCESS)
}
