//! Starts the other processes of a run on this machine, and watches them.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millstream_dataflow::{Stop, StopReason};

use crate::error::ClusterError;
use crate::orders::{LAST_STEP, Orders, Request, Task};

/// How often processes are looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// The processes started by this one. They are killed when this is dropped.
pub(crate) struct Children {
    running: Arc<Mutex<Vec<(usize, Child)>>>,
    /// Kept open until the run is over or this process ends, so that the others see that.
    inputs: Arc<Mutex<Vec<ChildStdin>>>,
    ending: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

impl Children {
    /// Starts one process for each order: this program, with the hidden command `worker`.
    pub(crate) fn start(orders: Vec<Orders>, stop: &Stop) -> Result<Self, ClusterError> {
        let mut children =
            Children { running: Arc::default(), inputs: Arc::default(), ending: Arc::default(), watch: None };
        for order in orders {
            let index = order.index as usize;
            let (child, input) = spawn(order)
                .map_err(|error| ClusterError::Process { index, problem: format!("could not be started: {error}") })?;
            if let Ok(mut inputs) = children.inputs.lock() {
                inputs.extend(input);
            }
            if let Ok(mut running) = children.running.lock() {
                running.push((index, child));
            }
        }
        children.watch = children.watch_over(stop.clone());
        Ok(children)
    }

    /// From here on it is no surprise when a process ends.
    pub(crate) fn expect_end(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }

    /// Stops the run as soon as a process fails; and ends the others as soon as it stops for whatever reason, since the training node of
    /// this process waits for theirs.
    fn watch_over(&self, stop: Stop) -> Option<JoinHandle<()>> {
        let (running, ending, inputs) = (Arc::clone(&self.running), Arc::clone(&self.ending), Arc::clone(&self.inputs));
        let over = move || ending.load(Ordering::SeqCst);
        let watch = move || {
            while !over() && stop.reason().is_none() {
                if let Some(why) = failure(&running)
                    && !over()
                {
                    stop.set(StopReason::Failed(why));
                }
                std::thread::sleep(PAUSE);
            }
            if over() {
                return;
            }
            if let Ok(mut inputs) = inputs.lock() {
                inputs.clear();
            }
            let until = Instant::now() + LAST_STEP;
            while !over() && Instant::now() < until {
                std::thread::sleep(PAUSE);
            }
            if let Ok(mut children) = running.lock()
                && !over()
            {
                // Fails only for those that have ended already.
                children.iter_mut().for_each(|(_, child)| drop(child.kill()));
            }
        };
        std::thread::Builder::new().name("watch".to_owned()).spawn(watch).ok()
    }
}

/// Which process has failed, if one has.
fn failure(running: &Mutex<Vec<(usize, Child)>>) -> Option<String> {
    let mut running = running.lock().ok()?;
    running.iter_mut().find_map(|(index, child)| {
        let status = child.try_wait().ok()??;
        (!status.success()).then(|| format!("process {index} ended early ({status})"))
    })
}

impl Drop for Children {
    fn drop(&mut self) {
        let clean = self.ending.swap(true, Ordering::SeqCst);
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
        if let Ok(mut running) = self.running.lock() {
            for (_, child) in running.iter_mut() {
                if !clean {
                    // Fails only if it has ended already.
                    let _ = child.kill();
                }
                let _ = child.wait();
            }
        }
    }
}

fn spawn(orders: Orders) -> std::io::Result<(Child, Option<ChildStdin>)> {
    let program = std::env::current_exe()?;
    let mut child = Command::new(program).arg("worker").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let text = serde_json::to_string(&Request { task: Task::Follow(Box::new(orders)), patience: None, cluster: None })?;
    let mut input = child.stdin.take();
    if let Some(input) = &mut input {
        writeln!(input, "{text}")?;
    }
    Ok((child, input))
}
