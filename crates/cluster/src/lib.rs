//! Processes and runs: launch, handshake, run directory, commits and resume.
