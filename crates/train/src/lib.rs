//! Training nodes on libtorch: models, losses, optimizers, schedules and the session that runs them.
