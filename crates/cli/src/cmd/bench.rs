//! `bench`: how fast the stream is with nothing to train, how fast training and labelling are with the stream and without it, and what
//! several processes cost.

mod all_reduce;
mod decode;
mod exchange;
mod images;
mod label;
pub(super) mod meter;
mod middle;
mod pipeline;
mod scaling;
pub(super) mod steps;
mod stream;
mod task;
mod train;

pub(crate) use all_reduce::all_reduce;
pub(crate) use exchange::exchange;
pub(crate) use label::label;
pub(crate) use scaling::scaling;
pub(crate) use stream::stream;
pub(crate) use train::train;

use millstream_cluster::{ClusterError, Team};

use crate::args::PartnerArgs;

/// The processes of a measurement: those that this one starts, or those of the one that started it.
fn team(partner: &PartnerArgs, processes: usize) -> Result<Team, ClusterError> {
    if partner.partner { Team::join() } else { Team::of(processes) }
}
