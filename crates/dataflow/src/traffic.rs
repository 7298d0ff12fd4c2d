//! Parts of batches on their way from one worker to another, and nothing else: to measure what that costs.

use std::time::Duration;

use millstream_data::{Batch, Key, Row, Shape, Target};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::ContainerBytes;
use timely::dataflow::operators::Input;
use timely::dataflow::operators::probe::{Handle, Probe};
use timely::dataflow::operators::vec::Map;
use timely::worker::Worker;

use crate::operators::batch::batch;
use crate::operators::pixels::Pixels;
use crate::operators::prepare::Part;
use crate::pool::Pool;
use crate::ranks::{Lane, Ranks};
use crate::run::{LARGEST_PART, SPARE_PARTS};
use crate::schedule::Share;
use crate::time::Time;

/// How long a worker with nothing to do sleeps at most.
const NAP: Duration = Duration::from_millis(50);

/// What is in every byte of every image.
const PIXEL: u8 = 7;

/// What the last worker sends to the first: one part a step, each a batch of its own.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// The shape of an image.
    pub shape: Shape,
    /// Images in a part.
    pub images: u32,
    /// Parts.
    pub parts: u32,
    /// Parts that may be under way.
    pub window: u32,
}

type Parts = InputHandle<Time, CapacityContainerBuilder<Vec<Part>>>;

impl Traffic {
    /// The bytes that a part takes on its way, without those that timely puts before them.
    pub fn message_bytes(&self) -> usize {
        vec![self.part(&Pool::new(0, 0))].length_in_bytes()
    }

    /// Runs it to its end. The first worker hands each batch to `arrived`.
    pub fn run(&self, worker: &mut Worker, arrived: impl FnMut(&Batch) + 'static) {
        let pool = Pool::new(SPARE_PARTS, LARGEST_PART);
        let (input, probe) = self.build(worker, pool.clone(), arrived);
        if worker.index() + 1 == worker.peers() {
            self.send(worker, &pool, input, &probe);
        } else {
            input.close();
        }
        while worker.has_dataflows() {
            worker.step_or_park(Some(NAP));
        }
    }

    /// The stream from where parts leave a worker to where they are a batch.
    fn build(
        &self,
        worker: &mut Worker,
        pool: Pool,
        mut arrived: impl FnMut(&Batch) + 'static,
    ) -> (Parts, Handle<Time>) {
        let shape = self.shape;
        worker.dataflow_named("Traffic", |scope| {
            let (input, parts) = scope.new_input();
            let take = move |mut batch: Batch| {
                arrived(&batch);
                batch.blocks.drain(..).for_each(|block| pool.give(block.0));
            };
            let (probe, _) = batch(parts, shape, Ranks::ONE).map(take).probe();
            (input, probe)
        })
    }

    fn send(&self, worker: &mut Worker, pool: &Pool, mut input: Parts, probe: &Handle<Time>) {
        for step in 0..self.parts {
            input.send(self.part(pool));
            input.advance_to(Time::new(0, 0, step + 1));
            worker.step();
            let held = Time::new(0, 0, (step + 1).saturating_sub(self.window));
            while probe.less_than(&held) {
                worker.step_or_park(Some(NAP));
            }
        }
    }

    fn part(&self, pool: &Pool) -> Part {
        let mut pixels = pool.take();
        pixels.resize(self.images as usize * self.shape.bytes(), PIXEL);
        let row = |record| Row {
            record,
            key: Key(record.into()),
            view: 0,
            epoch: 0,
            copy: 0,
            target: Target::Hard(0),
            labelled: true,
        };
        Part {
            share: Share { lane: Lane::ALL, slots: 0..self.images, width: self.images, ranks: 0..1 },
            rows: (0..self.images).map(row).collect(),
            pixels: Pixels::of(pool, pixels),
            dead: Vec::new(),
            rank: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// What the first of two workers gets, through the bytes that would go over a socket.
    #[test]
    fn every_part_arrives_as_it_was_sent() {
        let shape = Shape { height: 3, width: 2, channels: 3 };
        let traffic = Traffic { shape, images: 2, parts: 20, window: 3 };
        let (send, receive) = channel();
        let work = move |worker: &mut Worker| {
            let send = send.clone();
            traffic.run(worker, move |batch| send.send(batch.clone()).unwrap());
        };
        let communication = timely::CommunicationConfig::ProcessBinary(2);
        let config = timely::Config { communication, worker: timely::WorkerConfig::default() };
        timely::execute(config, work).unwrap().join().into_iter().for_each(Result::unwrap);
        let batches: Vec<Batch> = receive.iter().collect();
        assert_eq!(batches.len(), 20);
        for batch in batches {
            assert_eq!((&batch.rows, batch.bytes()), (&traffic.part(&Pool::new(0, 0)).rows, 36));
            assert!(batch.blocks[0].0.iter().all(|byte| *byte == PIXEL));
        }
        assert!((36..400).contains(&traffic.message_bytes()));
    }
}
