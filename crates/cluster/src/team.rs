//! Several processes of this program that measure something together: the first starts the others.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::ClusterError;
use crate::handshake::{Identity, Secret, fresh_bytes};
use crate::mesh::{MeshError, Sockets, gather, join, listen, loopback};

/// The argument that makes a process one of the others.
const PARTNER: &str = "--partner";

/// What the first process tells each other one over its standard input.
#[derive(Debug, Serialize, Deserialize)]
struct Call {
    index: usize,
    processes: usize,
    chief: SocketAddr,
    secret: Secret,
}

/// The processes of a measurement, as one of them sees them. Those that it started end with it.
pub struct Team {
    call: Call,
    /// Where this process is reached; none where it is alone.
    listener: Option<TcpListener>,
    /// How often they have come together.
    meetings: u64,
    partners: Vec<Partner>,
}

/// A process that this one has started.
struct Partner {
    child: Child,
    /// Kept open: an input that ends would tell it that it is alone.
    _input: Option<ChildStdin>,
}

impl Drop for Partner {
    fn drop(&mut self) {
        // By now it has done its part or will never do it. Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Team {
    /// This process and no other.
    pub fn alone() -> Team {
        let call = Call { index: 0, processes: 1, chief: loopback(), secret: fresh_bytes() };
        Team { call, listener: None, meetings: 0, partners: Vec::new() }
    }

    /// This process and others with the same arguments, and `--partner` after those.
    ///
    /// # Errors
    /// One cannot be started.
    pub fn of(processes: usize) -> Result<Team, ClusterError> {
        if processes <= 1 {
            return Ok(Team::alone());
        }
        let listener = listen(loopback())?;
        let chief = listener.local_addr().map_err(MeshError::Io)?;
        let secret = fresh_bytes();
        let partner = |index| {
            start(&Call { index, processes, chief, secret })
                .map_err(|error| ClusterError::Process { index, problem: format!("could not be started: {error}") })
        };
        let partners = (1..processes).map(partner).collect::<Result<_, _>>()?;
        Ok(Team { call: Call { index: 0, processes, chief, secret }, listener: Some(listener), meetings: 0, partners })
    }

    /// The team of the process that started this one, which says over standard input where to find it.
    ///
    /// # Errors
    /// Nobody started this process.
    pub fn join() -> Result<Team, ClusterError> {
        let astray = |problem: String| ClusterError::Measurement { command: PARTNER.to_owned(), problem };
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(|error| astray(error.to_string()))?;
        let call: Call = serde_json::from_str(&line)
            .map_err(|_| astray("is for the processes that a measurement starts, not for people".to_owned()))?;
        let listener = listen(SocketAddr::new(call.chief.ip(), 0))?;
        Ok(Team { call, listener: Some(listener), meetings: 0, partners: Vec::new() })
    }

    /// This process, from 0.
    pub fn index(&self) -> usize {
        self.call.index
    }

    /// How many there are.
    pub fn processes(&self) -> usize {
        self.call.processes
    }

    /// Connects every process with every other. They may do so several times, all of them as often.
    pub(crate) fn connect(&mut self) -> Result<Sockets, ClusterError> {
        let Some(listener) = &self.listener else { return Ok(vec![None]) };
        self.meetings += 1;
        let Call { index, processes, chief, secret } = &self.call;
        let port = listener.local_addr().map_err(MeshError::Io)?.port();
        let me = Identity { index: *index as u32, generation: self.meetings, plan: [0; 32], port };
        if *index > 0 {
            let addresses = vec![(chief.ip().to_string(), chief.port()); *processes];
            return Ok(join(&addresses, listener, me, secret, || false)?);
        }
        let partners = RefCell::new(&mut self.partners);
        let met = gather(listener, me, *processes, secret, || ended(&mut partners.borrow_mut()).is_some());
        let partners = partners.into_inner();
        match (met, ended(partners)) {
            (Err(MeshError::Stopped), Some((index, how))) => {
                Err(ClusterError::Process { index, problem: format!("ended early ({how})") })
            }
            (met, _) => Ok(met?),
        }
    }
}

/// Which of the others is gone, if one is, and how it ended.
fn ended(partners: &mut [Partner]) -> Option<(usize, String)> {
    partners.iter_mut().zip(1..).find_map(|(partner, index)| Some((index, partner.child.try_wait().ok()??.to_string())))
}

fn start(call: &Call) -> std::io::Result<Partner> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).arg(PARTNER);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut input = child.stdin.take();
    if let Some(input) = &mut input {
        writeln!(input, "{}", serde_json::to_string(call)?)?;
    }
    Ok(Partner { child, _input: input })
}

/// What this program prints when it is run anew with these arguments: a measurement that nothing before it can have warmed up.
///
/// # Errors
/// It fails, after saying why on standard error, or what it prints is no text.
pub fn measure(arguments: &[OsString]) -> Result<String, ClusterError> {
    let failed = |problem: String| ClusterError::Measurement {
        command: arguments.join(OsStr::new(" ")).to_string_lossy().into_owned(),
        problem,
    };
    let program = std::env::current_exe().map_err(|error| failed(format!("cannot be found: {error}")))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| failed(format!("could not be started: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(format!("printed something else than text: {error}")))
}
