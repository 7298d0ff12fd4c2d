use super::*;

/// Every pair of values, at several weights: what this CPU runs, the plain loop and the formula agree.
#[test]
fn all_paths_give_the_formula_for_every_pair_of_values() {
    let own: Vec<u8> = (0..65_536_u32).map(|n| (n >> 8) as u8).collect();
    let other: Vec<u8> = (0..65_536_u32).map(|n| n as u8).collect();
    for keep in [0, 1, 128, 12_345, 32_767, 32_768, 40_001, 65_535, 65_536] {
        let (mut fast, mut plain) = (own.clone(), own.clone());
        blend(&mut fast, &other, (f64::from(keep) / WHOLE) as f32);
        blend_values(&mut plain, &other, keep);
        assert_eq!(fast, plain);
        for ((found, a), b) in fast.iter().zip(&own).zip(&other) {
            let exact = (u64::from(*a) * u64::from(keep) + u64::from(*b) * u64::from(65_536 - keep)) * 2 + 65_536;
            assert_eq!(u64::from(*found), exact / 131_072, "{a} {b} {keep}");
        }
    }
}
