//! Launches on this machine: what is lost, hangs or is told to stop, and how the run goes on. Other machines are in `hosts`.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Place, millstream};

const SLOW: [&str; 6] =
    ["--set", "training.steps=150", "--set", "rounds.0.training.steps=150", "--set", "checkpoint={every: 10, keep: 2}"];

/// Two processes that train and one that prepares samples.
fn place() -> Place {
    let place = Place::new();
    place.write("hosts.yaml", "hosts: [{ host: localhost, slots: 2 }]\nheartbeat_timeout: 3\n");
    place
}

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["launch", "pipeline.yaml", "--hosts", "hosts.yaml", "--workers", "1", "--out", out][..], &SLOW, more].concat()
}

/// The same run without a launch.
fn whole(place: &Place) {
    let args = ["run", "pipeline.yaml", "--processes", "2", "--ranks", "2", "--workers", "1", "--out", "whole"];
    place.succeed(&[&args[..], &SLOW].concat());
}

fn status(place: &Place, run: &str) -> serde_json::Value {
    let text = std::fs::read(place.path(&format!("{run}/launch/status.json"))).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Waits until a launch says something of itself.
fn wait_for(place: &Place, run: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status = status(place, run);
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < until, "{status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The process ids of a launch whose training has come so far, by index.
fn at_work(place: &Place, run: &str, round: u64, step: u64) -> Vec<String> {
    let status = wait_for(place, run, |status| {
        let vitals = &status["processes"][0]["vitals"];
        vitals["round"] == round && vitals["step"].as_u64() >= Some(step)
    });
    let processes = status["processes"].as_array().unwrap();
    processes.iter().map(|process| process["pid"].to_string()).collect()
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

fn gone(pid: &str) -> bool {
    !std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn whichever_process_is_killed_or_hangs_the_run_ends_the_same() {
    let place = place();
    whole(&place);
    for (run, name, victim, round) in
        [("chief", "-KILL", 0, 1), ("other", "-KILL", 1, 1), ("early", "-KILL", 1, 0), ("hang", "-STOP", 1, 1)]
    {
        let child = place.start(&args(run, &[]));
        let pids = at_work(&place, run, round, 20);
        signal(name, &pids[victim]);
        let output = child.wait_with_output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{run}: {says}");
        let expected =
            if name == "-STOP" { "has not been heard of for 3 s" } else { "ended early (signal: 9 (SIGKILL))" };
        let first = format!("localhost: process {victim} {expected}");
        // The round may have ended between what was read of it and the signal.
        let goes_on = |round| says.contains(&format!("goes on from round {round}, step"));
        assert!(says.contains(&first) && (goes_on(round) || goes_on(round + 1)), "{run}: {says}");
        assert!(!says.contains("panicked"), "{run}: {says}");
        assert!(place.succeed(&["verify", "whole", run]).starts_with("identical"), "{run}");
        assert!(pids.iter().all(|pid| gone(pid)), "{run}: {pids:?}");
        let status = status(&place, run);
        assert_eq!((&status["state"], &status["restarts"]), (&"done".into(), &1.into()));
    }
}

/// Its machine has said that it is there; a run without it would be another one.
#[test]
fn a_process_that_ends_before_the_run_begins_is_started_again() {
    let place = place();
    whole(&place);
    let hello = format!(r#"{{"Hello":{{"version":"{}","pid":'$$',"cores":1,"clock":1}}}}"#, env!("CARGO_PKG_VERSION"));
    let script = format!(
        "#!/bin/sh\nmkdir first 2> /dev/null && echo '{hello}' && exit 9\nmkdir second 2> /dev/null && sleep 2\nexec {} \"$@\"\n",
        millstream().get_program().display()
    );
    place.write("program", &script);
    let program = place.path("program");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.write("hosts.yaml", &format!("hosts: [{{ host: localhost, slots: 2, program: {} }}]", program.display()));
    let says = place.tell(&args("run", &[]));
    assert!(says.contains("its process ended before the run began (exit status: 9)"), "{says}");
    assert!(says.contains("starts again"), "{says}");
    assert!(place.succeed(&["verify", "whole", "run"]).starts_with("identical"));
}

#[test]
fn a_signal_to_any_process_stops_the_launch_with_a_checkpoint_and_resume_goes_on() {
    let place = place();
    whole(&place);
    for (run, victim) in [("launch", None), ("chief", Some(0)), ("other", Some(1))] {
        let child = place.start(&args(run, &[]));
        let pids = at_work(&place, run, 1, 0);
        let of_launch = child.id().to_string();
        signal("-TERM", victim.map_or(&of_launch, |victim: usize| &pids[victim]));
        let output = child.wait_with_output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{run}: {says}");
        assert!(pids.iter().all(|pid| gone(pid)), "{run}: {pids:?}");
        let seen = place.succeed(&["status", run]);
        assert!(seen.contains("launch: interrupted") && seen.contains("1 rounds done"), "{seen}");
        let says = place.tell(&args(run, &["--resume"]));
        assert!(says.contains("goes on from round 1, step"), "{run}: {says}");
        assert!(place.succeed(&["verify", "whole", run]).starts_with("identical"), "{run}");
    }
}

#[test]
fn the_end_of_the_launch_is_the_end_of_its_processes() {
    let place = place();
    let mut child = place.start(&args("run", &[]));
    let pids = at_work(&place, "run", 1, 0);
    let seen = place.succeed(&["status", "run"]);
    assert!(seen.contains("launch: running") && seen.contains("localhost"), "{seen}");
    place.fail(&args("run", &[]), 2, &["run is in use by another run"]);
    assert_eq!(status(&place, "run")["pid"], child.id(), "the file is that of the first launch");
    child.kill().unwrap();
    child.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while !pids.iter().all(|pid| gone(pid)) {
        assert!(Instant::now() < until, "{pids:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let seen = place.succeed(&["status", "run"]);
    assert!(seen.contains("launch: gone"), "{seen}");
}

#[test]
fn what_cannot_be_launched_is_said_at_once() {
    let place = place();
    place.write("typo.yaml", "hosts: [{ host: localhost, slot: 2 }]");
    let with = |hosts| ["launch", "pipeline.yaml", "--hosts", hosts, "--out", "run"];
    place.fail(&with("typo.yaml"), 2, &["typo.yaml:1", "did you mean `slots`"]);
    place.fail(&with("none.yaml"), 2, &["cannot read none.yaml"]);
    place.write("local.yaml", "hosts: [{ host: localhost }]");
    let here = ["launch", "pipeline.yaml", "--hosts", "local.yaml", "--out", "."];
    place.fail(&here, 2, &["is not empty and no run directory"]);
    assert!(!place.path("launch").exists(), "nothing is left in somebody else's folder");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    place.write("taken.yaml", &format!("hosts: [{{ host: localhost, slots: 2 }}]\nport: {port}"));
    place.fail(
        &with("taken.yaml"),
        2,
        &["localhost: process 0", &format!("cannot listen on 127.0.0.1:{port}"), "`port` in a hosts file"],
    );
    place.write("program.yaml", "hosts: [{ host: localhost }]\nprogram: /no/such/millstream");
    place.fail(&with("program.yaml"), 4, &["localhost", "could not be started"]);
    place.write(
        "nobody.yaml",
        "hosts: [{ host: localhost, address: 127.0.0.1 }, { host: nobody.invalid, role: data }]\nstart_timeout: 5",
    );
    place.fail(&with("nobody.yaml"), 4, &["nobody.invalid: ssh cannot log in there", "`ssh nobody.invalid true`"]);
    place.fail(&["status", "nothing"], 2, &["holds neither a run nor a launch"]);
    let workers = Command::new("pgrep").args(["-f", &format!("{} worker", place.path("").display())]).output().unwrap();
    assert!(workers.stdout.is_empty());
}

/// A machine that only trains leaves samples to the others; one that is lost is gone without where so few are allowed.
#[test]
fn roles_and_lost_machines() {
    let place = place();
    let hosts = "hosts: [{ host: localhost, address: 127.0.0.1, role: data, slots: 2 }, { host: nobody.invalid }]\nmin_hosts: 1";
    place.write("hosts.yaml", hosts);
    place.fail(&args("run", &[]), 4, &["nobody.invalid: ssh cannot log in there"]);
    place.write(
        "hosts.yaml",
        "hosts: [{ host: localhost, address: 127.0.0.1 }, { host: nobody.invalid, role: data }]\nmin_hosts: 1",
    );
    let says = place.tell(&args("run", &[]));
    assert!(says.contains("goes on without nobody.invalid"), "{says}");
    place.succeed(&[&["run", "pipeline.yaml", "--out", "one"][..], &SLOW].concat());
    assert!(place.succeed(&["verify", "one", "run"]).starts_with("identical"));
}
