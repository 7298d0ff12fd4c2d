//! Which process of a run is on which machine.

use millstream_spec::{Host, Hosts, Role};

/// A process of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which host of the hosts file.
    pub(crate) host: usize,
    /// Which process of this host.
    pub(crate) slot: u16,
    /// Whether it trains.
    pub(crate) trains: bool,
    /// The GPU that it trains on.
    pub(crate) gpu: Option<u16>,
    /// Whether it prepares samples.
    pub(crate) prepares: bool,
}

/// All processes of some hosts in the order of their indices: those that only train, those that do both, those that only prepare.
pub(crate) fn crew(hosts: &Hosts, present: impl Fn(usize) -> bool) -> Vec<Place> {
    let hosts = hosts.hosts.iter().enumerate().filter(|(number, _)| present(*number));
    let mut places: Vec<Place> = hosts.flat_map(|(number, host)| places(number, host)).collect();
    places.sort_by_key(|place| (!place.trains, place.prepares));
    places
}

fn places(number: usize, host: &Host) -> impl Iterator<Item = Place> {
    let (gpus, role) = (host.gpus, host.role);
    (0..host.processes() as u16).map(move |slot| Place {
        host: number,
        slot,
        trains: role != Role::Data && (gpus == 0 || slot < gpus),
        gpu: (slot < gpus).then_some(slot),
        prepares: role != Role::Train,
    })
}

#[cfg(test)]
mod tests {
    use super::crew;

    #[test]
    fn those_that_train_come_first_and_each_gpu_has_a_process() {
        let text = "hosts: [{ host: d, role: data }, { host: b, gpus: 2, slots: 3 }, { host: t, role: train }]";
        let hosts = millstream_spec::parse_hosts(text, "x.yaml").unwrap();
        let all = crew(&hosts, |_| true);
        let told: Vec<_> = all.iter().map(|place| (place.host, place.slot, place.trains, place.gpu)).collect();
        let expected = [
            (2, 0, true, None),
            (1, 0, true, Some(0)),
            (1, 1, true, Some(1)),
            (0, 0, false, None),
            (1, 2, false, None),
        ];
        assert_eq!(told, expected);
        assert_eq!(crew(&hosts, |host| host != 1).len(), 2);
    }
}
