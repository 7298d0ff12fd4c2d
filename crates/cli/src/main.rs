//! `millstream`: an image pipeline that trains itself better.

mod allocations;
mod args;
mod cmd;
mod exit;
mod progress;
mod say;
mod sheet;
mod table;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::{BenchCommand, Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    allocations::keep_heaps(matches!(cli.command, Command::Relabel(_) | Command::Bench(BenchCommand::Label(_))));
    start_log(cli.verbose);
    match dispatch(&cli.command) {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}

fn dispatch(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => cmd::run::run(args),
        Command::Launch(args) => cmd::launch::launch(args),
        Command::Search(args) => cmd::search::search(args),
        Command::Status(args) => cmd::status::status(args),
        Command::Report(args) => cmd::report::report(args),
        Command::Validate(args) => cmd::validate::validate(args),
        Command::Graph(args) => cmd::graph::graph(args),
        Command::Plan(args) => cmd::plan::plan(args),
        Command::Schema(args) => cmd::schema::schema(args),
        Command::Models(args) => cmd::models::models(args),
        Command::Eval(args) => cmd::eval::eval(args),
        Command::Predict(args) => cmd::predict::predict(args),
        Command::Relabel(args) => cmd::relabel::relabel(args),
        Command::Curate(args) => cmd::curate::curate(args),
        Command::Export(args) => cmd::export::export(args),
        Command::Inspect(args) => cmd::inspect::inspect(args),
        Command::Augment(args) => cmd::augment::augment(args),
        Command::Preview(args) => cmd::preview::preview(args),
        Command::Bench(BenchCommand::Stream(args)) => cmd::bench::stream(args),
        Command::Bench(BenchCommand::Train(args)) => cmd::bench::train(args),
        Command::Bench(BenchCommand::Label(args)) => cmd::bench::label(args),
        Command::Bench(BenchCommand::Scaling(args)) => cmd::bench::scaling(args),
        Command::Bench(BenchCommand::Exchange(args)) => cmd::bench::exchange(args),
        Command::Bench(BenchCommand::AllReduce(args)) => cmd::bench::all_reduce(args),
        Command::Doctor(args) => cmd::doctor::doctor(args),
        Command::Verify(args) => cmd::verify::verify(args),
        Command::Worker => cmd::worker::worker(),
    }
}

/// Messages go to standard error; standard output is for results.
fn start_log(verbose: u8) {
    let level = ["warn", "info", "debug"][usize::from(verbose.min(2))];
    let filter = EnvFilter::try_from_env("MILLSTREAM_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}
