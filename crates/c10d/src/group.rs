//! A group of training nodes that add up their gradients: PyTorch's `ProcessGroupGloo`.

mod time;

use std::ffi::{CString, c_char, c_int, c_void};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tch::Tensor;

use crate::shim::{C10Error, call};

/// Where the ranks of a group leave word for each other until they are connected. PyTorch's own, `TCPStore`, takes orders from
/// whoever connects; this one is as trustworthy as whoever implements it.
pub trait Rendezvous: Send + Sync {
    /// Leaves word for all ranks. No key is set twice.
    ///
    /// # Errors
    /// The others cannot be told.
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), RendezvousError>;

    /// Waits until somebody has left word under the key.
    ///
    /// # Errors
    /// It did not come in time, or cannot be asked for.
    fn get(&self, key: &[u8]) -> Result<Vec<u8>, RendezvousError>;
}

/// Why ranks did not meet.
pub type RendezvousError = Box<dyn std::error::Error + Send + Sync>;

/// One rank's place in the group. All ranks must call the same operations, with tensors of the same shapes and types, in the same order.
///
/// Tensors lie in host memory, contiguously. When a rank is gone, or does not answer within the timeout, the operations of
/// the others fail; the group is of no use from then on.
#[derive(Debug)]
pub struct ProcessGroup {
    group: *mut c_void,
    rank: usize,
    ranks: usize,
}

// SAFETY: the process group has locks of its own; operations may come from any thread.
#[allow(unsafe_code)]
unsafe impl Send for ProcessGroup {}

/// An operation that is under way. To drop it is to wait for it.
#[derive(Debug)]
#[must_use = "the result is there only after waiting"]
pub struct Pending {
    work: *mut c_void,
    doing: &'static str,
    /// What is read and written.
    _tensors: Vec<Tensor>,
}

#[repr(C)]
struct Store {
    this: *mut c_void,
    set: extern "C" fn(*mut c_void, *const u8, usize, *const u8, usize) -> c_int,
    get: extern "C" fn(*mut c_void, *const u8, usize, *mut c_void, Take) -> c_int,
    drop: extern "C" fn(*mut c_void),
}

type Take = extern "C" fn(*mut c_void, *const u8, usize);

#[allow(unsafe_code, reason = "functions of our own C++, which catch every exception")]
unsafe extern "C" {
    fn millstream_group_new(
        store: Store,
        host: *const c_char,
        rank: c_int,
        ranks: c_int,
        timeout_ms: i64,
        group: *mut *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn millstream_group_free(group: *mut c_void);
    fn millstream_group_all_reduce(
        group: *mut c_void,
        tensor: *const c_void,
        work: *mut *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn millstream_group_broadcast(
        group: *mut c_void,
        tensor: *const c_void,
        root: c_int,
        work: *mut *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn millstream_group_all_gather(
        group: *mut c_void,
        tensor: *const c_void,
        into: *const *const c_void,
        ranks: usize,
        work: *mut *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
    fn millstream_group_barrier(group: *mut c_void, work: *mut *mut c_void, error: *mut c_char, room: usize) -> c_int;
    fn millstream_work_wait(work: *mut c_void, error: *mut c_char, room: usize) -> c_int;
}

impl ProcessGroup {
    /// Meets the other ranks, and waits until all have come. This one is reached at `host`, an address of this machine; an
    /// operation that takes longer than `timeout` fails.
    ///
    /// # Errors
    /// There is no such address, or a rank did not come.
    #[allow(unsafe_code, reason = "calls C++")]
    pub fn new(
        meeting: Arc<dyn Rendezvous>,
        host: IpAddr,
        (rank, ranks): (usize, usize),
        timeout: Duration,
    ) -> Result<ProcessGroup, C10Error> {
        let doing = "connecting the training nodes";
        let number = |value: usize| c_int::try_from(value).unwrap_or(c_int::MAX);
        let host = CString::new(host.to_string()).map_err(|error| C10Error { doing, reason: error.to_string() })?;
        let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let this = Box::into_raw(Box::new(meeting)).cast();
        let store = Store { this, set: store_set, get: store_get, drop: store_drop };
        let mut group = std::ptr::null_mut();
        // SAFETY: the store is the C++ side's from here on, and given back to `store_drop` once; `host` and `group` outlive the call.
        call(doing, |error, room| unsafe {
            millstream_group_new(
                store,
                host.as_ptr(),
                number(rank),
                number(ranks),
                timeout,
                &raw mut group,
                error,
                room,
            )
        })?;
        Ok(ProcessGroup { group, rank, ranks })
    }

    /// This rank, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many there are.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// Begins to put the sum over all ranks in place of each one's tensor; equal bits on all of them.
    ///
    /// # Errors
    /// What libtorch says of the tensor.
    pub fn all_reduce(&self, tensor: &Tensor) -> Result<Pending, C10Error> {
        self.begin("adding up over the training nodes", vec![tensor.shallow_clone()], |tensors, work, error, room| {
            // SAFETY: tensors of tch are pointers to libtorch's; `Pending` keeps this one.
            #[allow(unsafe_code)]
            unsafe {
                millstream_group_all_reduce(self.group, pointer(&tensors[0]), work, error, room)
            }
        })
    }

    /// Begins to put what `root` has in place of each rank's tensor.
    ///
    /// # Errors
    /// What libtorch says of the tensor.
    pub fn broadcast(&self, tensor: &Tensor, root: usize) -> Result<Pending, C10Error> {
        let root = c_int::try_from(root).unwrap_or(c_int::MAX);
        self.begin("telling the other training nodes", vec![tensor.shallow_clone()], |tensors, work, error, room| {
            // SAFETY: as above.
            #[allow(unsafe_code)]
            unsafe {
                millstream_group_broadcast(self.group, pointer(&tensors[0]), root, work, error, room)
            }
        })
    }

    /// What each rank has, by rank. Their tensors are of one shape and type.
    ///
    /// # Errors
    /// What libtorch says of the tensor; a rank is gone.
    pub fn all_gather(&self, tensor: &Tensor) -> Result<Vec<Tensor>, C10Error> {
        let all: Vec<Tensor> = (0..self.ranks).map(|_| tensor.zeros_like()).collect();
        let tensors = all.iter().chain([tensor]).map(Tensor::shallow_clone).collect();
        let pending = self.begin("asking the other training nodes", tensors, |tensors, work, error, room| {
            let into: Vec<*const c_void> = tensors[..self.ranks].iter().map(pointer).collect();
            // SAFETY: as above, and `into` has one for each rank.
            #[allow(unsafe_code)]
            unsafe {
                let own = pointer(&tensors[self.ranks]);
                millstream_group_all_gather(self.group, own, into.as_ptr(), into.len(), work, error, room)
            }
        })?;
        pending.wait()?;
        Ok(all)
    }

    /// Waits until all ranks have come here.
    ///
    /// # Errors
    /// A rank is gone.
    pub fn barrier(&self) -> Result<(), C10Error> {
        let pending = self.begin("waiting for the other training nodes", Vec::new(), |_, work, error, room| {
            // SAFETY: the group is alive.
            #[allow(unsafe_code)]
            unsafe {
                millstream_group_barrier(self.group, work, error, room)
            }
        })?;
        pending.wait()
    }

    /// What the C++ side knows it by, as long as this lives.
    pub(crate) fn handle(&self) -> *mut c_void {
        self.group
    }

    fn begin(
        &self,
        doing: &'static str,
        tensors: Vec<Tensor>,
        begin: impl FnOnce(&[Tensor], *mut *mut c_void, *mut c_char, usize) -> c_int,
    ) -> Result<Pending, C10Error> {
        let mut work = std::ptr::null_mut();
        call(doing, |error, room| begin(&tensors, &raw mut work, error, room))?;
        Ok(Pending { work, doing, _tensors: tensors })
    }
}

impl Drop for ProcessGroup {
    #[allow(unsafe_code, reason = "calls C++")]
    fn drop(&mut self) {
        // SAFETY: it came from `millstream_group_new` and is freed once.
        unsafe { millstream_group_free(self.group) }
    }
}

impl Pending {
    /// Waits until it is done.
    ///
    /// # Errors
    /// A rank is gone, or took longer than the timeout of the group.
    pub fn wait(mut self) -> Result<(), C10Error> {
        self.settle()
    }

    #[allow(unsafe_code, reason = "calls C++")]
    fn settle(&mut self) -> Result<(), C10Error> {
        let work = std::mem::replace(&mut self.work, std::ptr::null_mut());
        if work.is_null() {
            return Ok(());
        }
        // SAFETY: it came from the group and is given back once.
        call(self.doing, |error, room| unsafe { millstream_work_wait(work, error, room) })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Whoever drops it does not want to know.
        let _ = self.settle();
    }
}

pub(crate) fn pointer(tensor: &Tensor) -> *const c_void {
    tensor.as_ptr().cast()
}

/// # Safety
/// Called by the store of the C++ side alone, with what `ProcessGroup::new` gave it.
#[allow(unsafe_code)]
unsafe fn meeting<'a>(this: *mut c_void) -> &'a dyn Rendezvous {
    // SAFETY: see above; it lives until `store_drop`.
    unsafe { &**this.cast::<Arc<dyn Rendezvous>>() }
}

/// # Safety
/// Called with the bytes of a string or vector of the C++ side, for the length of a call.
#[allow(unsafe_code)]
unsafe fn slice<'a>(bytes: *const u8, length: usize) -> &'a [u8] {
    // SAFETY: see above; that of an empty vector may be null.
    if length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(bytes, length) } }
}

fn told(outcome: Result<(), RendezvousError>) -> c_int {
    outcome.inspect_err(|error| tracing::warn!(%error, "training nodes do not meet")).is_err().into()
}

#[allow(unsafe_code)]
extern "C" fn store_set(
    this: *mut c_void,
    key: *const u8,
    key_length: usize,
    value: *const u8,
    length: usize,
) -> c_int {
    // SAFETY: the C++ side says what it has.
    let (meeting, key, value) = unsafe { (meeting(this), slice(key, key_length), slice(value, length)) };
    told(meeting.set(key, value))
}

#[allow(unsafe_code)]
extern "C" fn store_get(this: *mut c_void, key: *const u8, key_length: usize, to: *mut c_void, take: Take) -> c_int {
    // SAFETY: the C++ side says what it has.
    let (meeting, key) = unsafe { (meeting(this), slice(key, key_length)) };
    told(meeting.get(key).map(|value| take(to, value.as_ptr(), value.len())))
}

#[allow(unsafe_code)]
extern "C" fn store_drop(this: *mut c_void) {
    // SAFETY: it came from a box, and the C++ side gives it back once.
    drop(unsafe { Box::from_raw(this.cast::<Arc<dyn Rendezvous>>()) });
}

#[cfg(test)]
pub(crate) mod tests;
