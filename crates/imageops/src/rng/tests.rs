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

/// `np.random.Philox(key=[seed, round << 32 | epoch], counter=[0, key_low, key_high, view << 56 | copy << 32 | op]).random_raw(n)`.
#[test]
fn streams_are_those_of_numpy() {
    assert_eq!(
        numbers(&sample(0, 0, 0, 0, 0), 0),
        [0x02f4ba6408e4d89b, 0x3dd62b0b9ca8c5b2, 0x1c8667a55d902e79, 0x907d7a052fd5b4dc, 0x809bf322883987c3]
    );
    let largest = SampleKey { view: u8::MAX, ..sample(u64::MAX, u32::MAX, u32::MAX, u128::MAX, (1 << 24) - 1) };
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

/// The same with view 7.
#[test]
fn a_view_has_the_stream_of_numpy_too() {
    let mixed = SampleKey { view: 7, ..sample(1, 2, 3, 0x0123456789abcdef_fedcba9876543210, 4) };
    assert_eq!(
        numbers(&mixed, 5),
        [0xac1fcc331775ae5d, 0xd2471ebd934d3c6b, 0xf9ef71b1f0d757f6, 0x43c293e892e04b05, 0xc56a4313edbb8598]
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
        first(SampleKey { view: 1, ..plain }, 0),
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

/// Mean and variance of `n` draws.
fn moments(n: u32, mut draw: impl FnMut() -> f64) -> (f64, f64) {
    let values: Vec<f64> = (0..n).map(|_| draw()).collect();
    let mean = values.iter().sum::<f64>() / f64::from(n);
    (mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / f64::from(n))
}

fn close(found: (f64, f64), expected: (f64, f64), within: f64) {
    let near = |a: f64, b: f64| (a - b).abs() <= within * b.abs().max(0.05);
    assert!(near(found.0, expected.0) && near(found.1, expected.1), "{found:?}, expected {expected:?}");
}

#[test]
fn normal_has_mean_0_variance_1_and_the_tails() {
    let mut rng = Rng::new(&sample(3, 0, 0, 0, 0), 0);
    let values: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
    let mut all = values.iter().copied();
    let (mean, variance) = moments(100_000, || all.next().unwrap());
    assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    let beyond = |sigma: f64| values.iter().filter(|v| v.abs() > sigma).count();
    assert!((30_700..32_700).contains(&beyond(1.0)) && (4_200..4_900).contains(&beyond(2.0)), "{}", beyond(2.0));
    assert!((200..340).contains(&beyond(3.0)));
}

/// Mean and variance are both the shape.
#[test]
fn gamma_has_its_moments_on_both_sides_of_shape_one() {
    for shape in [0.1, 0.5, 1.0, 1.5, 4.0, 100.0] {
        let mut rng = Rng::new(&sample(4, 0, 0, 0, 0), 0);
        close(moments(100_000, || rng.gamma(shape)), (shape, shape), 0.05);
    }
}

/// Shape 1 is the exponential distribution.
#[test]
fn gamma_of_shape_one_is_exponential() {
    let mut rng = Rng::new(&sample(5, 0, 0, 0, 0), 0);
    let above = (0..100_000).filter(|_| rng.gamma(1.0) > 1.0).count();
    assert!((above as f64 / 1e5 - (-1.0_f64).exp()).abs() < 0.006, "{above}");
}

#[test]
fn beta_has_its_moments() {
    for (a, b) in [(0.2, 0.2), (1.0, 1.0), (0.5, 2.0), (3.0, 1.5)] {
        let mut rng = Rng::new(&sample(6, 0, 0, 0, 0), 0);
        let variance = a * b / ((a + b) * (a + b) * (a + b + 1.0));
        close(moments(100_000, || rng.beta(a, b)), (a / (a + b), variance), 0.03);
    }
}

/// Both gammas underflow; what is left is one end or the other.
#[test]
fn tiny_parameters_give_the_ends_and_no_nan() {
    let mut rng = Rng::new(&sample(7, 0, 0, 0, 0), 0);
    let ones = (0..2000).map(|_| rng.beta(1e-6, 3e-6)).inspect(|v| assert!([0.0, 1.0].contains(v))).sum::<f64>();
    assert!((400.0..600.0).contains(&ones), "{ones}");
    for _ in 0..100 {
        let mut weights = rng.dirichlet(1e-6, 4);
        weights.sort_by(f64::total_cmp);
        assert_eq!(weights, [0.0, 0.0, 0.0, 1.0]);
    }
}

/// Every weight has mean 1 / n and variance (n - 1) / (n^2 (n alpha + 1)).
#[test]
fn dirichlet_weights_sum_to_one_and_have_their_moments() {
    let mut rng = Rng::new(&sample(8, 0, 0, 0, 0), 0);
    let mut first = || {
        let weights = rng.dirichlet(2.0, 3);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        weights[0]
    };
    close(moments(50_000, &mut first), (1.0 / 3.0, 2.0 / 63.0), 0.03);
    assert_eq!(rng.dirichlet(1.0, 0), []);
}

#[test]
fn shuffle_gives_every_order_evenly() {
    let mut rng = Rng::new(&sample(9, 0, 0, 0, 0), 0);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..24_000 {
        let mut items = [0, 1, 2, 3];
        rng.shuffle(&mut items);
        *counts.entry(items).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 24);
    assert!(counts.values().all(|n| (850..1150).contains(n)), "{counts:?}");
}

/// Of four items there are six cycles.
#[test]
fn derange_gives_every_cycle_evenly() {
    let mut rng = Rng::new(&sample(10, 0, 0, 0, 0), 0);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..6000 {
        let mut items = [0, 1, 2, 3];
        rng.derange(&mut items);
        *counts.entry(items).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 6);
    assert!(counts.iter().all(|(items, n)| (850..1150).contains(n) && (0..4).all(|i| items[i] != i)), "{counts:?}");
}

/// The bits of one draw each, so that a change of an algorithm or of a CPU's arithmetic shows.
#[test]
fn draws_keep_their_bits() {
    let mut rng = Rng::new(&sample(11, 0, 0, 0, 0), 0);
    let found = [rng.normal(), rng.gamma(0.3), rng.gamma(2.5), rng.beta(0.2, 0.2)].map(f64::to_bits);
    assert_eq!(found, [0xbfcaa3b2a3779f7e, 0x3f7aebe3fd3c59e8, 0x3ff95076cba270f7, 0x3febad0689a90729]);
}
