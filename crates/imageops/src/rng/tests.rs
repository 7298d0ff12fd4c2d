use super::*;

fn sample(seed: u64, round: u32, epoch: u32, key: u128, copy: u32) -> SampleKey {
    SampleKey { seed, round, epoch, key, copy, view: 0 }
}

fn numbers<const N: usize>(sample: &SampleKey, op: u32) -> [u64; N] {
    let mut rng = Rng::new(sample, op);
    std::array::from_fn(|_| rng.next_u64())
}

/// Known answers of Random123 (its file kat_vectors, philox4x64 with 10 rounds).
#[test]
fn philox_gives_the_known_answers() {
    let check = |counter: [u64; 4], key: [u64; 2], expected: [u64; 4]| assert_eq!(philox(counter, key), expected);
    check([0; 4], [0; 2], [0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b]);
    check(
        [u64::MAX; 4],
        [u64::MAX; 2],
        [0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0],
    );
    check(
        [0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89],
        [0x452821e638d01377, 0xbe5466cf34e90c6c],
        [0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6],
    );
}

/// `np.random.Philox(key=[seed, round << 32 | epoch], counter=[0, key_low, key_high, copy << 32 | op]).random_raw(n)`.
#[test]
fn streams_are_those_of_numpy() {
    assert_eq!(
        numbers(&sample(0, 0, 0, 0, 0), 0),
        [0x02f4ba6408e4d89b, 0x3dd62b0b9ca8c5b2, 0x1c8667a55d902e79, 0x907d7a052fd5b4dc, 0x809bf322883987c3]
    );
    let largest = sample(u64::MAX, u32::MAX, u32::MAX, u128::MAX, u32::MAX);
    assert_eq!(
        numbers(&largest, u32::MAX),
        [0xe253df8964e26d9c, 0x2db50acd1513d80b, 0x54eac66227f1f7e6, 0xf2bb65eb59fa2739, 0x3a674bae7a6305ee]
    );
    let mixed = sample(1, 2, 3, 0x0123456789abcdef_fedcba9876543210, 4);
    assert_eq!(
        numbers(&mixed, 5),
        [
            0x6004e1ad850390f9,
            0x2b2c2e51b48a54c9,
            0xdf987f53fd489055,
            0x995f93a812bb37bd,
            0xf83e5a05b6b217e5,
            0xf33fd711aa43f07c,
            0xc40136089e711f61,
            0xc5a4784ad23d9727,
            0xfc3b3a0e3421e70e
        ]
    );
}

/// `np.random.Generator(np.random.Philox(key=[1, 0], counter=[0] * 4)).random(3)`.
#[test]
fn uniform_is_that_of_numpy() {
    let mut rng = Rng::new(&sample(1, 0, 0, 0, 0), 0);
    let found: [f64; 3] = std::array::from_fn(|_| rng.uniform());
    let expected = [0.30356803, 0.84870875, 0.15613478];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8), "{found:?}");
}

#[test]
fn every_field_of_the_key_changes_the_stream() {
    let plain = sample(1, 1, 1, 1, 1);
    let first = |sample: SampleKey, op| numbers::<1>(&sample, op)[0];
    let streams = [
        first(plain, 0),
        first(plain, 1),
        first(SampleKey { seed: 2, ..plain }, 0),
        first(SampleKey { round: 2, ..plain }, 0),
        first(SampleKey { epoch: 2, ..plain }, 0),
        first(SampleKey { key: 2, ..plain }, 0),
        first(SampleKey { key: 1 << 64, ..plain }, 0),
        first(SampleKey { copy: 2, ..plain }, 0),
    ];
    let distinct: std::collections::BTreeSet<u64> = streams.into_iter().collect();
    assert_eq!(distinct.len(), streams.len());
}

#[test]
fn range_stays_below_its_end_and_is_even() {
    let mut rng = Rng::new(&sample(7, 0, 0, 0, 0), 0);
    let mut counts = [0_u32; 14];
    for _ in 0..14_000 {
        counts[rng.range(14) as usize] += 1;
    }
    assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
    assert_eq!((rng.range(0), rng.range(1)), (0, 0));
}

#[test]
fn a_coin_of_zero_never_and_of_one_always_falls() {
    let mut rng = Rng::new(&sample(7, 0, 0, 0, 0), 0);
    assert!((0..1000).all(|_| !rng.coin(0.0) && rng.coin(1.0)));
}
