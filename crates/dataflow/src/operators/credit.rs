//! `credit`: tells the source how far the training node has come.

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::flow::Credit;
use crate::time::Time;

/// Watches the frontier of `answers` and frees the steps that it has passed. Lets no data out.
pub(crate) fn credit<D: 'static>(answers: StreamVec<'_, Time, D>, credit: Credit) {
    answers.sink(Pipeline, "Credit", move |(input, frontier)| {
        input.for_each(|_, data| data.clear());
        credit.steps_done(frontier.frontier());
    });
}
