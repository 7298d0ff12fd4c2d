//! Features that were kept are those that would be computed anew.

use millstream_data::{Key, Target};

use super::*;
use crate::model::{Dimensions, Net, Origin};
use crate::random::{Purpose, seeded};
use crate::{ModelKind, Precision};

fn row(record: u32, labelled: bool) -> Row {
    Row { record, key: Key(0), view: 0, epoch: 0, copy: 0, target: Target::None, labelled }
}

fn net() -> Net {
    let at = Dimensions { height: 32, width: 32, channels: 3, classes: 4, precision: Precision::Float32, folds: false };
    let seeded = seeded(1, 0, Purpose::Weights);
    let origin = Origin::Fresh(tch::Device::Cpu, &seeded);
    Net::build(&ModelKind::SmallNet { width: 8, dropout: 0.0 }, at, origin).unwrap()
}

/// Images of these records, always the same of each.
fn images(records: &[u32]) -> Tensor {
    let image = |record: &u32| seeded(2, *record, Purpose::Weights).uniform(&[1, 3, 32, 32], 1.0).unwrap();
    Tensor::cat(&records.iter().map(image).collect::<Vec<_>>(), 0)
}

#[test]
fn features_have_the_same_bits_however_much_is_kept_and_whatever_is_beside_them() {
    let net = net();
    // 32 floats a record: nothing, two records, all.
    let mut all = [0, 2 * 32 * 4, 1 << 20].map(|most| Features::bounded(true, most));
    for records in [&[0, 1, 2, 3, 4][..], &[4, 2, 0], &[5, 5, 1, 2, 3, 0, 4]] {
        let rows: Vec<Row> = records.iter().map(|record| row(*record, true)).collect();
        let images = images(records);
        let found = all.each_mut().map(|features| features.of(&*net.model, &images, &rows).unwrap());
        assert_eq!(found[0].size(), [records.len() as i64, 32]);
        assert!(found[1].equal(&found[0]) && found[2].equal(&found[0]));
        // Many at once have the same sums as the parts have, but for the last bits on some machines.
        let batch = Features::new(false).of(&*net.model, &images, &rows).unwrap();
        assert!(batch.allclose(&found[0], 1e-5, 1e-6, false) && !batch.requires_grad());
    }
    let counts = all.map(|features| features.kept.map(|kept| (kept.rows.len(), kept.bytes)).unwrap());
    assert_eq!(counts, [(0, 0), (2, 256), (6, 768)]);
}

#[test]
fn what_is_kept_is_used() {
    let net = net();
    let mut features = Features::new(true);
    let first = features.of(&*net.model, &images(&[1]), &[row(1, true)]).unwrap();
    let other = images(&[2]);
    assert!(features.of(&*net.model, &other, &[row(1, true)]).unwrap().equal(&first));
    // The views of labelled records are numbered apart from those of others.
    assert!(!features.of(&*net.model, &other, &[row(1, false)]).unwrap().equal(&first));
}
