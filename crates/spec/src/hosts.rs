//! The machines of a launch: reading and checking `configs/hosts/*.yaml`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::Checker;
use crate::diagnostic::{self, Code, Diagnostics, Report};
use crate::{schema, structure, text, yaml};

/// This machine, which needs no ssh.
pub const LOCALHOST: &str = "localhost";

/// What a machine does in a run.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Prepares samples for the machines that train.
    Data,
    /// Trains, and leaves it to others to prepare samples.
    Train,
    /// Does both.
    #[default]
    Both,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// What ssh calls it: a name, an address or an alias of the ssh configuration. `localhost` is this machine, without ssh.
    #[schemars(length(min = 1, max = 255))]
    pub host: String,
    /// Where the other machines reach it, a name or an address. By default what `host` says; `localhost` among others needs one.
    #[serde(default)]
    pub address: Option<String>,
    /// Processes on it. By default one for each GPU, and one where there is none.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub slots: Option<u16>,
    /// What it does.
    #[serde(default)]
    pub role: Role,
    /// GPUs that it trains on, each by a process of its own. Without any it trains on its CPU.
    #[serde(default)]
    #[schemars(range(max = 64))]
    pub gpus: u16,
    /// Where `millstream` lies on it, if elsewhere than on the others.
    #[serde(default)]
    pub program: Option<PathBuf>,
    /// The folder that its relative paths start from, if another than on the others.
    #[serde(default)]
    pub dir: Option<PathBuf>,
}

impl Host {
    /// Processes on it.
    #[must_use]
    pub fn processes(&self) -> usize {
        usize::from(self.slots.unwrap_or(self.gpus.max(1)))
    }

    /// Whether it has training nodes.
    #[must_use]
    pub fn trains(&self) -> bool {
        self.role != Role::Data
    }
}

/// The machines of a launch, and how they are reached and watched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Millstream hosts")]
pub struct Hosts {
    /// The machines. The run directory lies on the first one that trains.
    #[schemars(length(min = 1, max = 4096))]
    pub hosts: Vec<Host>,
    /// Where `millstream` lies on every machine. By default where it lies on this one.
    #[serde(default)]
    pub program: Option<PathBuf>,
    /// The folder that relative paths start from on every machine. By default the current one of this machine.
    #[serde(default)]
    pub dir: Option<PathBuf>,
    /// Arguments for `ssh`, such as `[-F, ssh_config]` or `[-i, key]`.
    #[serde(default)]
    pub ssh: Vec<String>,
    /// The first port that processes listen on, each on its own; any free ones by default. Behind a firewall set it.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// A run goes on with as few machines as this when others are lost. By default it waits for all of them.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub min_hosts: Option<u16>,
    /// Seconds that a machine may take to answer when processes are started.
    #[serde(default = "Hosts::start_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub start_timeout: u32,
    /// Seconds without a sign of life after which a process is taken for lost.
    #[serde(default = "Hosts::heartbeat_timeout")]
    #[schemars(range(min = 2, max = 3600))]
    pub heartbeat_timeout: u32,
    /// Restarts in a row that come no further than the one before, after which the launch gives up.
    #[serde(default = "Hosts::max_restarts")]
    #[schemars(range(max = 1000))]
    pub max_restarts: u32,
}

impl Hosts {
    fn start_timeout() -> u32 {
        30
    }

    fn heartbeat_timeout() -> u32 {
        15
    }

    fn max_restarts() -> u32 {
        10
    }

    /// Where the other machines reach one of them. `localhost` can be reached where there is no other.
    #[must_use]
    pub fn reach(&self, number: usize) -> &str {
        let host = &self.hosts[number];
        match &host.address {
            Some(address) => address,
            None if host.host == LOCALHOST => "127.0.0.1",
            None => &host.host,
        }
    }

    /// The fewest machines that a run goes on with.
    #[must_use]
    pub fn min_hosts(&self) -> usize {
        self.min_hosts.map_or(self.hosts.len(), usize::from)
    }
}

/// The JSON schema (draft 2020-12) of a hosts file.
#[must_use]
pub fn hosts_schema() -> serde_json::Value {
    schema::tidied::<Hosts>()
}

/// Reads a hosts file; see [`parse_hosts`].
///
/// # Errors
/// All mistakes at once, or the one that the file cannot be read.
pub fn load_hosts(path: &Path) -> Result<Hosts, Diagnostics> {
    parse_hosts(&text::read(path, "hosts file")?, &path.display().to_string())
}

/// Checks a hosts file. `file` is what messages call it.
///
/// ```
/// let hosts = millstream_spec::parse_hosts("hosts: [{ host: a, gpus: 2 }, { host: b, role: data }]", "two.yaml")?;
/// assert_eq!((hosts.hosts[0].processes(), hosts.min_hosts()), (2, 2));
/// # Ok::<(), millstream_spec::Diagnostics>(())
/// ```
///
/// # Errors
/// All mistakes at once, with their places.
pub fn parse_hosts(text: &str, file: &str) -> Result<Hosts, Diagnostics> {
    let mut report = Report::default();
    let hosts = hosts_of(text, file, &mut report);
    report.finish()?;
    hosts.ok_or_else(|| Diagnostics::unreadable(format!("{file} is no hosts file"), ""))
}

fn hosts_of(text: &str, file: &str, report: &mut Report) -> Option<Hosts> {
    let source = report.source(file, text);
    let Some(tree) = yaml::read(text, source, 0, &|name| std::env::var(name).ok(), report) else {
        if report.is_empty() {
            let help = "start with a copy of a file in `configs/hosts/`";
            report.error(Code::Missing, diagnostic::Span::start(source), "the file says nothing", help);
        }
        return None;
    };
    let schema = hosts_schema();
    let structured = structure::check(&schema, &schema, &tree, "the hosts file", report);
    let hosts: Hosts = serde_json::from_value(structured.value).ok()?;
    let mut checker = Checker { tree: &tree, poisoned: &structured.poisoned, report };
    fits(&mut checker, &hosts);
    Some(hosts)
}

/// What the schema cannot say.
fn fits(checker: &mut Checker<'_>, hosts: &Hosts) {
    let list = yaml::Path::of(&["hosts"]);
    let mut names = BTreeSet::new();
    for (position, host) in hosts.hosts.iter().enumerate() {
        let path = list.item(position);
        let mut wrong = |key, message: String, help| checker.error(&path.key(key), Code::Conflict, message, help);
        if !names.insert(&host.host) {
            let help = "give it more processes with `slots`";
            wrong("host", format!("`{}` is there twice", host.host), help);
        }
        if host.host.starts_with('-') || host.host.contains(char::is_whitespace) {
            let help = "write a name, an address or an alias of the ssh configuration";
            wrong("host", format!("`{}` is no name of a host", host.host), help);
        }
        if host.host == LOCALHOST && host.address.is_none() && hosts.hosts.len() > 1 {
            let help = "set `address` to the one that the others know this machine by";
            wrong("host", "the other machines cannot reach `localhost`".to_string(), help);
        }
        if host.gpus > 0 && host.role == Role::Data {
            wrong(
                "gpus",
                "a machine that does not train needs no GPU".to_string(),
                "leave `gpus` out, or change `role`",
            );
        }
        if host.role == Role::Train && host.gpus > 0 && host.processes() > usize::from(host.gpus) {
            let message = "some of its processes would neither train nor prepare samples".to_string();
            wrong("slots", message, "leave `slots` out, or take `role: both`");
        }
        if host.trains() && host.processes() < usize::from(host.gpus) {
            wrong("slots", format!("{} GPUs need as many processes", host.gpus), "leave `slots` out, or raise it");
        }
    }
    if !hosts.hosts.iter().any(Host::trains) {
        checker.error(&list, Code::Conflict, "no machine trains", "give one of them `role: train` or `role: both`");
    }
    if hosts.hosts.iter().all(|host| host.role == Role::Train) {
        checker.error(
            &list,
            Code::Conflict,
            "no machine prepares samples",
            "give one of them `role: data` or `role: both`",
        );
    }
    if hosts.min_hosts() > hosts.hosts.len() {
        let message = format!("`min_hosts` is {}, there are {} hosts", hosts.min_hosts(), hosts.hosts.len());
        checker.error(&yaml::Path::of(&["min_hosts"]), Code::Conflict, message, "lower it, or add hosts");
    }
    let most = hosts.hosts.iter().map(Host::processes).max().unwrap_or(0);
    if hosts.port.is_some_and(|port| usize::from(port) + most > 65536) {
        let message = format!("{most} processes on one machine need as many ports");
        checker.error(&yaml::Path::of(&["port"]), Code::OutOfRange, message, "choose a lower one");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_defaults() {
        let text = "hosts: [{ host: a, gpus: 2 }, { host: b, address: 10.0.0.2, role: data, slots: 3 }]";
        let hosts = parse_hosts(text, "x.yaml").unwrap();
        let [a, b] = &hosts.hosts[..] else { panic!("two hosts") };
        assert_eq!((a.processes(), hosts.reach(0), a.role), (2, "a", Role::Both));
        assert_eq!((b.processes(), hosts.reach(1), b.trains()), (3, "10.0.0.2", false));
        assert_eq!((hosts.min_hosts(), hosts.heartbeat_timeout, hosts.port), (2, 15, None));
    }

    #[test]
    fn mistakes_have_places_and_remedies() {
        for (text, says) in [
            ("hosts: []", "hosts"),
            ("hosts: [{ host: a }]\nmin_host: 1", "did you mean `min_hosts`"),
            ("hosts: [{ host: a }, { host: a }]", "`a` is there twice"),
            ("hosts: [{ host: -oProxyCommand=x }]", "no name of a host"),
            ("hosts: [{ host: localhost }, { host: a }]", "cannot reach `localhost`"),
            ("hosts: [{ host: a, role: data }]", "no machine trains"),
            ("hosts: [{ host: a, role: train }]", "no machine prepares samples"),
            ("hosts: [{ host: a, role: data, gpus: 1 }, { host: b }]", "needs no GPU"),
            ("hosts: [{ host: a, gpus: 4, slots: 2 }]", "4 GPUs need as many processes"),
            ("hosts: [{ host: a, role: train, gpus: 1, slots: 2 }, { host: b }]", "neither train nor prepare"),
            ("hosts: [{ host: a }]\nmin_hosts: 2", "there are 1 hosts"),
            ("hosts: [{ host: a, slots: 9 }]\nport: 65530", "as many ports"),
            ("", "the file says nothing"),
        ] {
            let mistakes = parse_hosts(text, "x.yaml").unwrap_err().to_string();
            assert!(mistakes.contains(says) && mistakes.contains("x.yaml"), "{text}: {mistakes}");
        }
    }
}
