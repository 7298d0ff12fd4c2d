//! `bench exchange`: how fast batches go from one process to another, beside as many bytes over a socket.

use std::process::ExitCode;

use millstream_cluster::{ExchangeReading, Exchanging};
use millstream_data::Shape;
use millstream_dataflow::Traffic;
use serde_json::json;

use super::middle::{Middle, Ratio};
use super::team;
use crate::args::BenchExchangeArgs;
use crate::cmd::{print, print_json};

/// The one that sends and the one that receives.
const PROCESSES: usize = 2;
/// Messages under way: as many steps as the stream has ahead with the least memory that it runs with.
const WINDOW: u32 = 2;
const MEGABYTE: f64 = 1e6;

pub(crate) fn exchange(args: &BenchExchangeArgs) -> anyhow::Result<ExitCode> {
    let shape = Shape { height: args.size, width: args.size, channels: 3 };
    let traffic = Traffic { shape, images: args.images, parts: args.messages, window: WINDOW };
    let mut team = team(&args.partner, PROCESSES)?;
    let reading = millstream_cluster::exchange(&mut team, Exchanging { traffic, turns: args.rounds as usize })?;
    if team.index() == 0 {
        report(args, &reading)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(args: &BenchExchangeArgs, reading: &ExchangeReading) -> anyhow::Result<()> {
    let rates = |rates: &[f64]| Middle::of(rates.iter().map(|rate| rate / MEGABYTE));
    let (stream, socket) = (rates(&reading.stream), rates(&reading.socket));
    let ratio = Ratio::of(&reading.stream, &reading.socket);
    if args.json.json {
        return print_json(&json!({
            "message_bytes": reading.message,
            "messages": args.messages,
            "rounds": args.rounds,
            "stream_megabytes_per_second": stream.map(|rate| rate.as_json(1)),
            "socket_megabytes_per_second": socket.map(|rate| rate.as_json(1)),
            "ratio": ratio.map(Ratio::as_json),
        }));
    }
    let text = |rate: Option<Middle>| rate.map_or_else(String::new, |rate| rate.as_text(0));
    print(&format!(
        "{} messages of {} bytes, {} rounds\nstream: {} MB/s\nsocket: {} MB/s\nstream / socket: {}",
        args.messages,
        reading.message,
        args.rounds,
        text(stream),
        text(socket),
        ratio.map_or_else(String::new, Ratio::as_text),
    ))
}
