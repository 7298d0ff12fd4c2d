//! Records, keys, manifests, sources, batches, and the files that hold them.
