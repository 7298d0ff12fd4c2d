//! Brings the processes of a run together, as process 0 sees it.

use std::net::SocketAddr;
use std::path::PathBuf;

use millstream_c10d::ProcessGroup;
use millstream_dataflow::{Job, Stop};

use crate::children::Children;
use crate::error::ClusterError;
use crate::group::Group;
use crate::handshake::{Identity, fresh_bytes, run_secret};
use crate::meeting::meet;
use crate::mesh::{MeshError, gather, listen, loopback, own_address};
use crate::orders::{Orders, Teller, Told};
use crate::run::RunOptions;
use crate::supplies::{needed, send};

/// Who starts the other processes of a run.
#[derive(Clone, Debug)]
pub enum Others {
    /// This process, on this machine.
    Children {
        /// Where it listens for them; any free port of the loopback by default.
        listen: Option<SocketAddr>,
    },
    /// Whoever started this one.
    Launched {
        /// Where all processes can be reached, this one first.
        addresses: Vec<(String, u16)>,
        /// How the one who starts them is told.
        teller: Teller,
        /// The secret of the cluster, if there is one.
        cluster: Option<[u8; 32]>,
    },
}

/// The processes of a run, as process 0 sees them.
pub(crate) struct Assembly {
    pub(crate) group: Group,
    /// The other training nodes, if there are any.
    pub(crate) peers: Option<ProcessGroup>,
    /// Those that it started itself.
    pub(crate) children: Option<Children>,
}

/// Where a run begins.
pub(crate) struct Beginning<'a> {
    pub(crate) job: &'a Job,
    pub(crate) plan: [u8; 32],
    pub(crate) generation: u64,
    pub(crate) run: PathBuf,
    pub(crate) checkpoint: Option<PathBuf>,
}

/// This process alone, or together with others.
pub(crate) fn assemble(options: &RunOptions, beginning: &Beginning<'_>, stop: &Stop) -> Result<Assembly, ClusterError> {
    let (job, shape) = (beginning.job, options.shape);
    if shape.processes == 1 {
        open(options, job, Vec::new());
        return Ok(Assembly { group: Group::alone(shape.workers), peers: None, children: None });
    }
    let listener = listen(own(options)?)?;
    let address = listener.local_addr().map_err(MeshError::Io)?;
    let drawn = fresh_bytes();
    let orders = orders(options, beginning, address, drawn);
    let secret = match &options.others {
        Others::Launched { cluster, .. } => run_secret(drawn, *cluster),
        Others::Children { .. } => drawn,
    };
    let children = match options.others {
        Others::Children { .. } => Some(Children::start(orders, stop)?),
        Others::Launched { .. } => {
            open(options, job, orders);
            None
        }
    };
    let me = Identity { index: 0, generation: beginning.generation, plan: beginning.plan, port: address.port() };
    let files = needed(&beginning.run, job.first_round, beginning.checkpoint.as_deref())?;
    let met = gather(&listener, me, shape.processes, &secret, || stop.reason().is_some()).and_then(|sockets| {
        send(&sockets, &beginning.run, &files)?;
        Ok((meet(&sockets, 0, shape.ranks)?, sockets))
    });
    match (met, stop.reason()) {
        // What a process itself reported is the cause; that it did not come is only what followed.
        (Err(_), Some(reason)) => Err(ClusterError::Stopped(reason.clone())),
        (met, _) => {
            let (peers, sockets) = met?;
            Ok(Assembly { group: Group::of(shape.workers, 0, sockets), peers, children })
        }
    }
}

/// Where this process listens.
fn own(options: &RunOptions) -> Result<SocketAddr, MeshError> {
    match &options.others {
        Others::Children { listen } => Ok(listen.unwrap_or_else(loopback)),
        Others::Launched { addresses, .. } => match addresses.first() {
            Some((host, port)) => own_address(host, *port),
            None => Ok(loopback()),
        },
    }
}

/// Tells whoever started this process where the run goes on, and what the others are to do.
fn open(options: &RunOptions, job: &Job, orders: Vec<Orders>) {
    if let Others::Launched { teller, .. } = &options.others {
        teller.tell(&Told::Open { round: job.first_round, step: job.first_step, orders });
    }
}

/// What each other process is to do.
fn orders(options: &RunOptions, beginning: &Beginning<'_>, address: SocketAddr, secret: [u8; 32]) -> Vec<Orders> {
    let processes = options.shape.processes;
    let mut addresses = match &options.others {
        Others::Children { .. } => vec![(address.ip().to_string(), 0); processes],
        Others::Launched { addresses, .. } => addresses.clone(),
    };
    if let Some((_, port)) = addresses.first_mut() {
        *port = address.port();
    }
    let order = |index| Orders {
        definition: options.definition.clone(),
        index,
        shape: options.shape,
        device: options.device,
        generation: beginning.generation,
        addresses: addresses.clone(),
        secret,
        first_round: beginning.job.first_round,
        first_step: beginning.job.first_step,
    };
    (1..processes as u32).map(order).collect()
}
