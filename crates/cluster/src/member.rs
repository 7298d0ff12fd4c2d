//! A process that works for process 0: it joins the run and works until the stream has drained.

use std::path::Path;
use std::sync::Arc;

use millstream_c10d::ProcessGroup;
use millstream_dataflow::{Job, Stop, Surroundings};
use millstream_spec::Plan;

use crate::checkpoint::Kept;
use crate::error::ClusterError;
use crate::group::{Group, run_workers};
use crate::handshake::{Identity, Secret, run_secret};
use crate::meeting::meet;
use crate::mesh::{MeshError, Sockets, join, listen, own_address};
use crate::node::{NodeSettings, round_configs, session_config};
use crate::orders::{Orders, Teller};
use crate::plan_hash::plan_hash;
use crate::run::restore_from;
use crate::supplies::{Scratch, checkpoint_among, receive};

/// Follows orders until the stream has drained or `stop` is given. `cluster` is the secret of the cluster, if there is one.
///
/// # Errors
/// Why it could not join, or why it stopped.
pub fn serve(orders: &Orders, cluster: Option<[u8; 32]>, teller: &Teller, stop: &Stop) -> Result<(), ClusterError> {
    let plan = orders.definition.plan()?;
    let manifest = Arc::new(millstream_dataflow::open(&plan)?);
    let hash = plan_hash(&plan, &manifest)?;
    let mut job = millstream_dataflow::render(&plan, manifest)?;
    job.ranks = orders.shape.ranks();
    let (sockets, peers, scratch, kept) = arrive(orders, (hash, run_secret(orders.secret, cluster)), &mut job, stop)?;
    let group = Group::of(orders.shape.workers, orders.index as usize, sockets);
    let trainer = settings(orders, &plan, &job, scratch.path())?.trainer(None, kept, peers);
    let around = Surroundings::new(trainer, Arc::new(|_| {}), stop.clone()).observed(teller.gauges.clone());
    run_workers(group, Arc::new(job), around)?;
    match stop.reason() {
        Some(reason) => Err(reason.clone().into()),
        None => Ok(()),
    }
}

type Arrival = (Sockets, Option<ProcessGroup>, Scratch, Option<Kept>);

/// Joins the others, and sets the job to start where they do.
fn arrive(
    orders: &Orders,
    (hash, secret): ([u8; 32], Secret),
    job: &mut Job,
    stop: &Stop,
) -> Result<Arrival, ClusterError> {
    let index = orders.index as usize;
    let nowhere = || MeshError::Io(std::io::Error::other("there is no address for this process"));
    let (host, port) = orders.addresses.get(index).ok_or_else(nowhere)?;
    let listener = listen(own_address(host, *port)?)?;
    let port = listener.local_addr().map_err(MeshError::Io)?.port();
    let me = Identity { index: orders.index, generation: orders.generation, plan: hash, port };
    let sockets = join(&orders.addresses, &listener, me, &secret, || stop.reason().is_some())?;
    let scratch = Scratch::new()?;
    let files = receive(&sockets, scratch.path())?;
    let names: Vec<_> = files.iter().map(|name| name.to_string_lossy()).collect();
    restore_from(job, scratch.path(), orders.first_round, names.iter().map(AsRef::as_ref))?;
    let kept = checkpoint_among(&files).map(|name| Kept::read(&scratch.path().join(name))).transpose()?;
    let kept = kept.map(|(_, kept)| kept);
    if let Some(kept) = &kept {
        kept.apply(job);
    }
    if job.first_step != orders.first_step {
        // Each would wait for steps that the others are through with.
        let problem = format!("would start with step {}, process 0 with {}", job.first_step, orders.first_step);
        return Err(ClusterError::Process { index, problem });
    }
    let peers = meet(&sockets, index, orders.shape.ranks)?;
    Ok((sockets, peers, scratch, kept))
}

fn settings(orders: &Orders, plan: &Plan, job: &Job, run: &Path) -> Result<NodeSettings, ClusterError> {
    Ok(NodeSettings {
        session: session_config(plan, job.classes.clone(), orders.device),
        rounds: round_configs(plan, job, run)?,
        run: run.to_owned(),
    })
}
