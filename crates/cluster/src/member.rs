//! A process that another one started: it joins the run and works until the stream has drained.

use std::net::SocketAddr;
use std::sync::Arc;

use millstream_dataflow::{Ranks, Stop, StopReason, Surroundings};
use millstream_spec::Plan;

use crate::checkpoint::Kept;
use crate::commit::Commit;
use crate::error::ClusterError;
use crate::group::{Group, run_workers};
use crate::handshake::Identity;
use crate::launch::Orders;
use crate::meeting::meet;
use crate::mesh::{join, listen};
use crate::node::{NodeSettings, round_configs, session_config};
use crate::plan_hash::plan_hash;
use crate::run::restore_from;

/// Follows orders. The plan is the one that the pipeline file of the orders describes.
pub fn serve(orders: &Orders, plan: &Plan) -> Result<(), ClusterError> {
    let manifest = Arc::new(millstream_dataflow::open(plan)?);
    let hash = plan_hash(plan, &manifest)?;
    let mut job = millstream_dataflow::render(plan, manifest)?;
    job.ranks = Ranks { count: orders.ranks as u32, workers: orders.workers };
    if orders.first_round > 0 {
        let files = Commit::newest(&orders.run)?.map(|commit| commit.files).unwrap_or_default();
        restore_from(&mut job, &orders.run, orders.first_round, files.keys().map(String::as_str))?;
    }
    let kept =
        orders.checkpoint.as_deref().map(|checkpoint| Ok::<_, ClusterError>(Kept::read(checkpoint)?.1)).transpose()?;
    if let Some(kept) = &kept {
        kept.apply(&mut job);
    }
    let listener = listen(SocketAddr::new(orders.chief.ip(), 0))?;
    let port = listener.local_addr().map_err(crate::mesh::MeshError::Io)?.port();
    let me = Identity { index: orders.index, generation: orders.generation, plan: hash, port };
    let sockets = join(orders.chief, &listener, me, orders.processes, &orders.secret)?;
    let peers = meet(&sockets, orders.index as usize, orders.ranks)?;
    let group = Group::of(orders.workers, orders.index as usize, sockets);
    let stop = Stop::new();
    let node = NodeSettings {
        session: session_config(plan, job.classes.clone(), orders.device),
        rounds: round_configs(plan, &job, &orders.run)?,
        run: orders.run.clone(),
    };
    let trainer = node.trainer(None, kept, peers);
    let around = Surroundings::new(trainer, Arc::new(|_| {}), stop.clone());
    end_with_the_chief(&stop);
    run_workers(group, Arc::new(job), around)?;
    match stop.reason() {
        Some(reason) => Err(reason.clone().into()),
        None => Ok(()),
    }
}

/// Process 0 keeps our standard input open for as long as it lives; that it closes is the surest sign of its end.
fn end_with_the_chief(stop: &Stop) {
    let stop = stop.clone();
    let watch = move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stop.set(StopReason::Failed("process 0 has ended".to_owned()));
    };
    if let Err(error) = std::thread::Builder::new().name("chief".to_owned()).spawn(watch) {
        tracing::warn!(%error, "cannot watch process 0");
    }
}
