//! Files that are replaced as a whole, so that a reader never sees a part.

use std::fs;
use std::io;
use std::path::Path;

/// Has a file written under a temporary name beside it, then syncs it and renames it into place.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let synced = |()| fs::File::open(&temporary)?.sync_all();
    let done = write(&temporary).and_then(synced).and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&temporary);
    }
    done
}
