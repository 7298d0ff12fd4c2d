//! How a generation starts: its processes, who of them is there, and what each gets to do.

use std::time::{Duration, Instant};

use super::{Generation, Process, Trouble};
use crate::launch::absence::absence;
use crate::launch::crew::{Place, crew};
use crate::launch::spawn::Started;
use crate::launch::{FAILED, Notice, WRONG_REQUEST};
use crate::orders::{Hello, Lead, Shape, Task};

impl Process {
    /// Whether it could not be started at all, by what ssh or the shell says: the next time it would be the same. One that was killed or
    /// hangs at its start leaves no word.
    fn never_there(&self) -> bool {
        match self.ending.as_ref().map(|ending| ending.code) {
            Some(Some(255)) => !self.last_words.is_empty(),
            Some(code) => code.is_some(),
            None => self.started.is_none(),
        }
    }
}

impl Generation<'_, '_> {
    /// Starts a process for each place on each machine.
    pub(super) fn start(&mut self) {
        let settings = self.settings;
        let wanted = |host| !settings.without.contains(&host);
        crew(&settings.options.hosts, wanted).into_iter().for_each(|place| self.start_one(place));
    }

    pub(super) fn start_one(&mut self, place: Place) {
        let started = self.settings.spawners[place.host].start(&place, self.processes.len(), &self.sender);
        let last_words = started.as_ref().err().map(|error| error.to_string());
        self.processes.push(Process {
            place,
            index: None,
            requested: false,
            left_out: false,
            ended: started.is_err(),
            ending: None,
            doubtful: false,
            started: started.ok(),
            pid: None,
            hello: None,
            heard: Instant::now(),
            last_words: last_words.into_iter().collect(),
        });
    }

    /// Waits until all processes have said that they are there, and leaves out machines that do not answer if enough others do.
    pub(super) fn greet(&mut self) -> Result<(), Trouble> {
        let until = Instant::now() + Duration::from_secs(u64::from(self.settings.options.hosts.start_timeout));
        let waiting = |process: &Process| process.hello.is_none() && !process.ended;
        while self.processes.iter().any(waiting) && Instant::now() < until && !self.stopping {
            self.interrupt();
            self.take_news()?;
        }
        if self.stopping {
            return Ok(());
        }
        self.same_version()?;
        self.leave_out()
    }

    /// That nobody has another version.
    fn same_version(&self) -> Result<(), Trouble> {
        let ours = env!("CARGO_PKG_VERSION");
        let theirs = |process: &Process| Some((process.place.host, process.hello.clone()?));
        match self.processes.iter().filter_map(theirs).find(|(_, hello)| !hello.is_same_version()) {
            Some((host, Hello { version, .. })) => Err(Trouble {
                problem: format!(
                    "{}: its millstream is version {version}, this one {ours}. Install the same, or set `program` in the hosts file",
                    self.host(host)
                ),
                code: WRONG_REQUEST,
                absent: false,
            }),
            None => Ok(()),
        }
    }

    fn leave_out(&mut self) -> Result<(), Trouble> {
        let hosts = &self.settings.options.hosts;
        let absent: Vec<usize> = self.processes.iter().filter(|p| !p.is_there()).map(|p| p.place.host).collect();
        let Some(first) = self.processes.iter().position(|process| !process.is_there()) else {
            return Ok(());
        };
        let without = self.settings.without;
        let present: Vec<usize> =
            (0..hosts.hosts.len()).filter(|host| !absent.contains(host) && !without.contains(host)).collect();
        // Process 0 has the run directory.
        let possible = present.len() >= hosts.min_hosts() && present.contains(&self.processes[0].place.host) && {
            let left = crew(hosts, |host| present.contains(&host));
            let count = |what: fn(&Place) -> bool| left.iter().filter(|place| what(place)).count();
            count(|place| place.prepares) * self.settings.options.workers.unwrap_or(1) >= count(|place| place.trains)
        };
        if !possible {
            let absent = self.processes.iter().any(|process| process.hello.is_none() && process.never_there());
            return Err(Trouble { problem: self.why_not_there(first), code: FAILED, absent });
        }
        for host in (0..hosts.hosts.len()).filter(|host| absent.contains(host)) {
            let first = self.processes.iter().position(|process| process.place.host == host && !process.is_there());
            let why = self.why_not_there(first.unwrap_or(0));
            let trains = hosts.hosts[host].trains();
            (self.watch)(&Notice::LeftOut { host: &hosts.hosts[host].host, why: &why, trains });
            self.left_out.0.push(host);
        }
        self.processes.iter_mut().filter(|process| !present.contains(&process.place.host)).for_each(|process| {
            process.started.iter_mut().for_each(Started::hang_up);
            process.left_out = true;
        });
        Ok(())
    }

    /// Why a process is not there, and what to do.
    fn why_not_there(&self, number: usize) -> String {
        let process = &self.processes[number];
        let (host, ending) = (self.host(process.place.host), process.ending.as_ref());
        let said = process.last_words.back().map(String::as_str);
        if let (Some(_), Some(ending)) = (&process.hello, ending) {
            return format!("{host}: its process ended before the run began ({})", ending.text);
        }
        let said = said.or(ending.map(|ending| ending.text.as_str())).unwrap_or_default();
        let (problem, remedy) = absence(host, process.ended, ending.and_then(|ending| ending.code), said);
        format!("{host}: {problem}; {remedy}")
    }

    /// Gives each process its index, and process 0 its task.
    pub(super) fn lead(&mut self) {
        let options = self.settings.options;
        let there: Vec<usize> = (0..self.processes.len()).filter(|at| !self.processes[*at].left_out).collect();
        for (index, number) in there.iter().enumerate() {
            let process = &mut self.processes[*number];
            process.index = Some(index);
            process.heard = Instant::now();
            let host = &options.hosts.hosts[process.place.host].host;
            if let Some(hello) = &process.hello {
                (self.watch)(&Notice::Joined { host, process: index, trains: process.place.trains, hello });
            }
        }
        let lead = Lead {
            definition: options.definition.clone(),
            out: Some(options.out.clone()),
            start: self.settings.start,
            shape: self.shape(&there),
            device: options.device,
            addresses: there.iter().map(|number| self.address(*number)).collect(),
        };
        self.request(0, Task::Lead(Box::new(lead)));
    }

    fn shape(&self, there: &[usize]) -> Shape {
        let options = self.settings.options;
        let places = || there.iter().map(|number| &self.processes[*number].place);
        let share = |number: &usize| {
            let process = &self.processes[*number];
            let cores = process.hello.as_ref().map_or(1, |hello| hello.cores);
            cores / options.hosts.hosts[process.place.host].processes()
        };
        let preparing = places().filter(|place| place.prepares).count();
        let most = (options.smallest_step / preparing.max(1)).max(1);
        let workers = options.workers.unwrap_or_else(|| there.iter().map(share).min().unwrap_or(1).clamp(1, most));
        let ranks = places().filter(|place| place.trains).count();
        let resting = places().filter(|place| !place.prepares).count();
        Shape { processes: there.len(), workers, ranks, resting }
    }

    /// Where the others reach a process.
    fn address(&self, number: usize) -> (String, u16) {
        let hosts = &self.settings.options.hosts;
        let place = self.processes[number].place;
        (hosts.reach(place.host).to_owned(), hosts.port.map_or(0, |port| port + place.slot))
    }
}
