//! The label book: keyed labels, selection and balancing, maintained incrementally on differential dataflow.
