//! Where a session runs: the CPU, or a GPU whose libtorch part is loaded at run time.

use libloading::os::unix::Library;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The wish for a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The first GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first GPU, or an error.
    Cuda,
}

impl Device {
    /// The device that the wish comes to here.
    pub(crate) fn resolve(self) -> Result<tch::Device, TrainError> {
        if self == Device::Cpu {
            return Ok(tch::Device::Cpu);
        }
        match cuda() {
            Ok(_) => Ok(tch::Device::Cuda(0)),
            Err(reason) if self == Device::Cuda => Err(TrainError::NoCuda { reason }),
            Err(reason) => {
                tracing::debug!(reason, "CUDA is not used");
                Ok(tch::Device::Cpu)
            }
        }
    }
}

/// What a wish for a device comes to here: `cpu` or `cuda`.
///
/// # Errors
/// [`TrainError::NoCuda`] where a GPU is wished for and there is none.
pub fn resolved(device: Device) -> Result<&'static str, TrainError> {
    Ok(if device.resolve()?.is_cuda() { "cuda" } else { "cpu" })
}

/// Chooses the kernels of a GPU: the fastest for the sizes of a run, found by trying (cuDNN's benchmark mode), or those that give the
/// same bits each time.
pub(crate) fn prepare_cuda(deterministic: bool) -> Result<(), TrainError> {
    tch::Cuda::cudnn_set_benchmark(!deterministic);
    Ok(millstream_c10d::deterministic(deterministic)?)
}

/// What libtorch found on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Version of the libtorch that is loaded, such as `2.11.0`.
    pub libtorch: String,
    /// libtorch's own default of threads within an operation.
    pub threads: u32,
    /// Whether libtorch has oneDNN's convolutions.
    pub onednn: bool,
    /// Whether libtorch has MKL's matrix products.
    pub mkl: bool,
    /// The GPUs, in CUDA's order; or why CUDA is not used.
    pub cuda: Result<Vec<String>, String>,
}

/// Looks at libtorch and at the GPUs.
pub fn probe() -> Environment {
    Environment {
        libtorch: version().unwrap_or_else(|| "unknown".to_owned()),
        threads: u32::try_from(tch::get_num_threads()).unwrap_or(0),
        onednn: tch::utils::has_mkldnn(),
        mkl: tch::utils::has_mkl(),
        cuda: cuda().map(gpus),
    }
}

/// The number of GPUs, or why there is none.
fn cuda() -> Result<i64, String> {
    millstream_c10d::load_cuda()?;
    if !tch::Cuda::is_available() {
        return Err("libtorch_cuda is loaded, but no GPU with a working driver was found".to_owned());
    }
    Ok(tch::Cuda::device_count())
}

/// Names of the GPUs as the driver gives them; their numbers where it does not.
fn gpus(count: i64) -> Vec<String> {
    let names = std::fs::read_dir("/proc/driver/nvidia/gpus").map(|folders| {
        let mut folders: Vec<_> = folders.flatten().map(|folder| folder.path()).collect();
        folders.sort();
        folders.iter().filter_map(|folder| gpu_name(&folder.join("information"))).collect::<Vec<_>>()
    });
    let names = names.unwrap_or_default();
    let name = |index: i64| usize::try_from(index).ok().and_then(|index| names.get(index));
    (0..count).map(|index| name(index).cloned().unwrap_or_else(|| format!("cuda:{index}"))).collect()
}

fn gpu_name(information: &std::path::Path) -> Option<String> {
    let text = std::fs::read_to_string(information).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
    Some(line.trim().to_owned())
}

/// The version of the loaded libtorch: one byte each for major, minor and patch, from the top.
#[allow(unsafe_code, reason = "calling a C function by name; tch does not offer the version")]
fn version() -> Option<String> {
    let this = Library::this();
    // SAFETY: libtorch declares `uint64_t aoti_torch_abi_version()` in its stable C interface, and we are linked to it.
    let abi = unsafe {
        let function = this.get::<unsafe extern "C" fn() -> u64>(b"aoti_torch_abi_version\0").ok()?;
        function()
    };
    let [major, minor, patch, ..] = abi.to_be_bytes();
    Some(format!("{major}.{minor}.{patch}"))
}
