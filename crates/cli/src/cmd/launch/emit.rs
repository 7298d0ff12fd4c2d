//! Jobs for schedulers that start a launch on many machines.

use std::path::Path;

use millstream_spec::Plan;

use super::super::print;
use crate::args::{DeviceArg, LaunchArgs, SchedulerArg};

/// Prints the job of a launch.
pub(super) fn emit(args: &LaunchArgs, plan: &Plan, scheduler: SchedulerArg) -> anyhow::Result<()> {
    let command = command(args);
    print(&match scheduler {
        SchedulerArg::Slurm => slurm(&plan.name, args.tasks, &command, args.secret_file.as_deref()),
        SchedulerArg::Kubernetes => kubernetes(&plan.name, args.tasks, &command),
    })
}

/// The command of every task. It goes on with what is there: a scheduler starts jobs again.
fn command(args: &LaunchArgs) -> Vec<String> {
    let pipeline = args.pipeline.pipeline.display().to_string();
    let mut words = vec!["millstream".to_owned(), "launch".to_owned(), pipeline, "--resume".to_owned()];
    for (key, value) in &args.pipeline.overrides {
        words.extend(["--set".to_owned(), format!("{key}={value}")]);
    }
    words.extend(args.out.iter().flat_map(|out| ["--out".to_owned(), out.display().to_string()]));
    words.extend(args.workers.iter().flat_map(|workers| ["--workers".to_owned(), workers.to_string()]));
    let device = match args.device.device {
        DeviceArg::Auto => None,
        DeviceArg::Cpu => Some("cpu"),
        DeviceArg::Cuda => Some("cuda"),
    };
    words.extend(device.iter().flat_map(|device| ["--device".to_owned(), (*device).to_owned()]));
    words
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Where a job has its secret, unless the user says.
const SECRET: &str = "$HOME/.config/millstream/secret";

fn slurm(name: &str, tasks: u32, command: &[String], secret: Option<&Path>) -> String {
    let secret = secret.map_or_else(|| SECRET.to_owned(), |path| quoted(&path.to_string_lossy()));
    let command = command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    format!(
        r#"#!/bin/bash
# Run it with `sbatch`. Set what your site wants: partition, account, time, GPUs (--gpus-per-node), cores (--cpus-per-task).
#SBATCH --job-name={name}
#SBATCH --nodes={tasks}
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --signal=TERM@120
set -eu

# All nodes see this file, and nobody else can read it.
secret={secret}
umask 077
mkdir -p "${{secret%/*}}"
[ -s "$secret" ] || head -c 32 /dev/urandom | base64 > "$secret"

MILLSTREAM_CHIEF=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MILLSTREAM_PORT=$((20000 + SLURM_JOB_ID % 20000))
export MILLSTREAM_CHIEF MILLSTREAM_PORT

srun --kill-on-bad-exit=1 {command} --secret-file "$secret"
"#
    )
}

fn kubernetes(name: &str, tasks: u32, command: &[String]) -> String {
    let name = label(name);
    let command = serde_json::json!(command);
    format!(
        r#"# Before it: an image with millstream and libtorch, a claim `{name}` for pipeline, data and results, and a secret:
#   kubectl create secret generic {name} --from-literal=secret="$(head -c 32 /dev/urandom | base64)"
# Then: kubectl apply -f THIS_FILE
apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{ batch.kubernetes.io/job-name: {name} }}
---
apiVersion: batch/v1
kind: Job
metadata: {{ name: {name} }}
spec:
  completionMode: Indexed
  completions: {tasks}
  parallelism: {tasks}
  backoffLimit: 100
  template:
    spec:
      subdomain: {name}
      restartPolicy: OnFailure
      # A checkpoint is kept when a pod has to go.
      terminationGracePeriodSeconds: 120
      containers:
        - name: millstream
          image: millstream:latest
          workingDir: /work
          command: {command}
          env:
            - {{ name: MILLSTREAM_TASKS, value: "{tasks}" }}
            - {{ name: MILLSTREAM_CHIEF, value: {name}-0.{name} }}
            - name: MILLSTREAM_SECRET
              valueFrom: {{ secretKeyRef: {{ name: {name}, key: secret }} }}
          volumeMounts: [{{ name: work, mountPath: /work }}]
      volumes:
        - {{ name: work, persistentVolumeClaim: {{ claimName: {name} }} }}
"#
    )
}

/// A name as Kubernetes allows it: lower case letters, digits and dashes, 50 at most, so that an index still fits.
fn label(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(allowed).take(50).collect();
    let label = label.trim_matches('-');
    if label.is_empty() { "millstream".to_owned() } else { label.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell_and_names_kubernetes() {
        assert_eq!(quoted("training.optimizer={sgd: {lr: 0.1}}"), "'training.optimizer={sgd: {lr: 0.1}}'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("seed=2"), "seed=2");
        assert_eq!((label("Noisy_Student.2"), label("__")), ("noisy-student-2".to_owned(), "millstream".to_owned()));
    }
}
