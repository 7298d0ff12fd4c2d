//! The YAML definition of a pipeline: reading, checking, and the typed plan.
