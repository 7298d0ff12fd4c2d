//! `bench all-reduce`: how long two training nodes take to add up so many numbers.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::meter::rounded;
use super::middle::Middle;
use super::team;
use crate::args::BenchAllReduceArgs;
use crate::cmd::{print, print_json};

/// Processes, each with one rank.
const RANKS: usize = 2;
const MEGABYTE: usize = 1_000_000;

pub(crate) fn all_reduce(args: &BenchAllReduceArgs) -> anyhow::Result<ExitCode> {
    let mut team = team(&args.partner, RANKS)?;
    let sizes: Vec<usize> = args.megabytes.iter().map(|size| *size as usize * MEGABYTE).collect();
    let times = millstream_cluster::all_reduce(&mut team, &sizes, args.repetitions as usize)?;
    if team.index() == 0 {
        report(args, &times)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(args: &BenchAllReduceArgs, times: &[Vec<Duration>]) -> anyhow::Result<()> {
    let seconds = |times: &Vec<Duration>| Middle::of(times.iter().map(Duration::as_secs_f64));
    let sums = args.megabytes.iter().zip(times.iter().filter_map(seconds));
    if args.json.json {
        let sums: Vec<Value> = sums.map(|(size, seconds)| as_json(*size, seconds)).collect();
        return print_json(&json!({ "ranks": RANKS, "repetitions": args.repetitions, "sums": sums }));
    }
    let lines: Vec<String> = sums.map(|(size, seconds)| as_text(*size, seconds)).collect();
    print(&format!("{RANKS} processes, {} sums of each size\n{}", args.repetitions, lines.join("\n")))
}

fn as_json(megabytes: u32, seconds: Middle) -> Value {
    json!({
        "megabytes": megabytes,
        "seconds": seconds.as_json(5),
        "megabytes_per_second": rounded(f64::from(megabytes) / seconds.median, 1),
    })
}

fn as_text(megabytes: u32, seconds: Middle) -> String {
    let rate = f64::from(megabytes) / seconds.median;
    format!("{megabytes} MB: {} s, {rate:.0} MB/s", seconds.as_text(4))
}
