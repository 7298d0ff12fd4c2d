//! What a machine says of itself before a launch, and whether it reaches the others. Nothing is started or written.

use std::io::BufRead;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use millstream_spec::Definition;
use serde::{Deserialize, Serialize};

use crate::door::Door;
use crate::error::ClusterError;
use crate::handshake::{Identity, Secret, dial};
use crate::mesh::{connect, listen, own_address};
use crate::orders::{Teller, Told};
use crate::plan_hash::plan_hash;
use crate::run::Start;
use crate::run_dir::look_at;

/// How long a connection to another machine may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a machine is asked before a launch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inspection {
    /// The pipeline.
    pub definition: Definition,
    /// Which machine it is.
    pub index: u32,
    /// How the others call it.
    pub address: String,
    /// The ports that its processes will listen on; 0 for any.
    pub ports: Vec<u16>,
    /// A secret of this check.
    pub secret: [u8; 32],
    /// The run directory, if it is to be on this machine.
    pub out: Option<PathBuf>,
    /// What the launch would do with an earlier run there.
    pub start: Start,
}

/// What a machine has found out about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The hash of plan and data there, in hex, or why there is none.
    pub plan: Result<String, String>,
    /// GPUs that libtorch sees.
    pub gpus: usize,
    /// The version of libtorch.
    pub libtorch: String,
    /// Why the run directory cannot be there.
    pub out: Option<String>,
}

/// The other machines, to be dialed: which one, its address, its ports.
pub(crate) type Others = Vec<(u32, String, Vec<u16>)>;

/// Answers an inspection over standard output, one part after the other: the ports, then what was found, and when the others
/// are known, which of them cannot be reached. The process ends with its input, whatever it is looking at.
pub fn inspect(inspection: &Inspection, teller: &Teller) -> ! {
    let others = listen_for_others();
    let listeners = inspection.ports.iter().map(|port| {
        let listener = own_address(&inspection.address, *port).and_then(listen);
        listener.map_err(|error| error.to_string())
    });
    let me = identity(inspection.index);
    let answers = listeners.map(|listener| listener.and_then(|listener| answer(listener, me, inspection.secret)));
    let answers: Vec<_> = answers.collect();
    teller.tell(&Told::Listens(
        answers.iter().map(|answer| answer.as_ref().map(|(port, _)| *port).map_err(String::clone)).collect(),
    ));
    let dialing = std::thread::spawn({
        let (teller, secret) = (teller.clone(), inspection.secret);
        move || dial_others(&others, me, secret, &teller)
    });
    teller.tell(&Told::Found(found(inspection)));
    let _ = dialing.join();
    // Others may still dial.
    loop {
        std::thread::park();
    }
}

/// Waits on a thread for the line that names the others, among signs of life. At the end of the input nobody wants to know any more.
fn listen_for_others() -> Receiver<Others> {
    let (send, others) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Ok(others) = serde_json::from_str(&line) {
                // Fails only if they were named before.
                let _ = send.send(others);
            }
        }
        std::process::exit(0);
    });
    others
}

/// Plans are compared by whoever asked: here it is only the secret that counts.
fn identity(index: u32) -> Identity {
    Identity { index, generation: 0, plan: [0; 32], port: 0 }
}

/// Shakes hands with whoever comes to a port.
fn answer(listener: TcpListener, me: Identity, secret: Secret) -> Result<(u16, Door), String> {
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    Ok((port, Door::open(listener, me, secret).map_err(|error| error.to_string())?))
}

fn dial_others(others: &Receiver<Others>, me: Identity, secret: Secret, teller: &Teller) {
    let Ok(others) = others.recv() else { return };
    let dials: Vec<_> = others
        .into_iter()
        .flat_map(|(index, address, ports)| ports.into_iter().map(move |port| (index, address.clone(), port)))
        .map(|(index, address, port)| {
            std::thread::spawn(move || (index, address.clone(), port, reach(&address, port, me, &secret)))
        })
        .collect();
    let reached = dials.into_iter().flat_map(|dial| dial.join());
    let failed = reached.filter_map(|(index, address, port, outcome)| Some((index, address, port, outcome.err()?)));
    teller.tell(&Told::Unreached(failed.collect()));
}

fn reach(address: &str, port: u16, me: Identity, secret: &Secret) -> Result<(), String> {
    let mut socket = connect(address, port, PATIENCE).map_err(|error| error.to_string())?;
    dial(&mut socket, me, secret).map(drop).map_err(|error| error.to_string())
}

fn found(inspection: &Inspection) -> Found {
    let torch = millstream_train::probe();
    Found {
        plan: hash(&inspection.definition).map_err(|error| error.to_string()),
        gpus: torch.cuda.as_ref().map_or(0, Vec::len),
        libtorch: torch.libtorch,
        out: inspection.out.as_deref().and_then(|out| unusable(out, inspection.start)),
    }
}

fn hash(definition: &Definition) -> Result<String, ClusterError> {
    let plan = definition.plan()?;
    let manifest = millstream_dataflow::open(&plan)?;
    Ok(blake3::Hash::from_bytes(plan_hash(&plan, &manifest)?).to_hex().to_string())
}

/// Why a launch could not have this run directory. Leaves no trace.
fn unusable(out: &Path, start: Start) -> Option<String> {
    let out = std::path::absolute(out).ok()?;
    let there = out.ancestors().find(|path| path.exists())?;
    let access = rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    let problem = match access {
        _ if !there.is_dir() => "it is no folder".to_owned(),
        Err(error) => error.to_string(),
        Ok(()) => return look_at(&out, start).err().map(|error| error.to_string()),
    };
    Some(format!("cannot write {}: {problem}", there.display()))
}
