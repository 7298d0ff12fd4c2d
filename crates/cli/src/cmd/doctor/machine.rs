//! What this machine has, and what is missing.

use std::process::{Command, ExitCode};

use millstream_data::Shape;
use millstream_train::{
    Device, ModelKind, OptimizerKind, Precision, RoundConfig, ScheduleKind, Session, SessionConfig, TrainError,
    Transfer,
};
use serde::Serialize;

use crate::cmd::{cores, print, print_json};

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    good: bool,
    /// Whether Millstream works without it.
    optional: bool,
    detail: String,
}

/// Looks at it.
pub(super) fn look(json: bool) -> anyhow::Result<ExitCode> {
    let findings = [
        libtorch(),
        cuda(),
        jpeg(),
        processor(),
        memory(),
        disk(),
        tool("cargo", "--version", "builds Millstream; rustup brings it"),
        tool("c++", "--version", "builds Millstream; apt-get install g++"),
        tool("unzip", "-v", "scripts/bootstrap needs it; apt-get install unzip"),
        tool("pip", "--version", "scripts/bootstrap needs it; apt-get install python3-pip"),
    ];
    let healthy = findings.iter().all(|finding| finding.good || finding.optional);
    if json {
        print_json(&serde_json::json!({ "healthy": healthy, "findings": findings }))?;
    } else {
        for Finding { what, good, optional, detail } in &findings {
            let mark = match (good, optional) {
                (true, _) => "ok     ",
                (false, true) => "absent ",
                (false, false) => "MISSING",
            };
            print(&format!("{mark} {what:10} {detail}"))?;
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::from(crate::exit::FAILED) })
}

fn libtorch() -> Finding {
    let environment = millstream_train::probe();
    let works = build_a_model();
    let detail = match &works {
        Ok(()) => format!("{} on the CPU", environment.libtorch),
        Err(error) => format!("{} does not work: {error}", environment.libtorch),
    };
    Finding { what: "libtorch", good: works.is_ok(), optional: false, detail }
}

fn jpeg() -> Finding {
    let detail = millstream_imageops::JPEG_LIBRARY.to_owned();
    Finding { what: "JPEG", good: true, optional: false, detail }
}

/// libtorch is there and of the right version if a small model can be built.
fn build_a_model() -> Result<(), TrainError> {
    let mut session = Session::new(SessionConfig {
        seed: 0,
        classes: vec!["a".to_owned(), "b".to_owned()],
        shape: Shape { height: 28, width: 28, channels: 1 },
        mean: vec![0.0],
        std: vec![1.0],
        device: Device::Cpu,
        precision: Precision::Float32,
        deterministic: false,
        threads: 1,
    })?;
    session.begin(
        0,
        &RoundConfig {
            model: ModelKind::SmallNet { width: 8, dropout: 0.0 },
            weights: None,
            transfer: Transfer::default(),
            features_keep: false,
            steps: 1,
            optimizer: OptimizerKind::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 },
            schedule: ScheduleKind::Constant,
            label_smoothing: 0.0,
            clip: None,
            accumulate: 1,
            sync_batch_norm: false,
            ema: None,
            unlabelled_weight: 0.0,
            distilled: None,
            consistency: None,
            teacher: None,
        },
    )
}

fn cuda() -> Finding {
    let (good, detail) = match millstream_train::probe().cuda {
        Ok(devices) => (true, devices.join(", ")),
        Err(reason) => (false, format!("{reason}; training runs on the CPU")),
    };
    Finding { what: "CUDA", good, optional: true, detail }
}

fn processor() -> Finding {
    Finding { what: "cores", good: true, optional: false, detail: format!("{}", cores()) }
}

fn memory() -> Finding {
    let info = rustix::system::sysinfo();
    let gib = |units: u64| (units as f64 * f64::from(info.mem_unit)) / f64::from(1 << 30);
    let detail = format!("{:.1} GiB, {:.1} GiB of it unused", gib(info.totalram), gib(info.freeram + info.bufferram));
    Finding { what: "memory", good: true, optional: false, detail }
}

fn disk() -> Finding {
    let (good, detail) = match rustix::fs::statvfs(".") {
        Ok(stat) => {
            let free = stat.f_bavail * stat.f_frsize;
            (free > 1 << 30, format!("{:.1} GiB free here", free as f64 / f64::from(1 << 30)))
        }
        Err(error) => (false, error.to_string()),
    };
    Finding { what: "disk", good, optional: false, detail }
}

fn tool(name: &'static str, flag: &str, use_of_it: &str) -> Finding {
    let version = Command::new(name).arg(flag).output().ok().filter(|output| output.status.success());
    let detail = match &version {
        Some(output) => String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned(),
        None => format!("not found: {use_of_it}"),
    };
    Finding { what: name, good: version.is_some(), optional: true, detail }
}
