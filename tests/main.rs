//! The tests of the whole: the program as people run it, and the shape of the source tree. One binary.

mod bad_input;
mod calibration;
mod commands;
mod curate;
mod doctor;
mod documents;
mod equality;
mod hosts;
mod inspect;
mod interruption;
mod launch;
mod methods;
mod metrics;
mod pictures;
mod ranks;
mod relabel;
mod report;
mod search;
mod structure;
mod support;
mod transfer;
