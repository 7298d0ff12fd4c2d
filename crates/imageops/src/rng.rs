//! Random numbers without state between samples: Philox4x64-10.
//!
//! Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Ten rounds of multiply and
//! xor turn (key, counter) into 256 random bits. The identity of a sample fits into key and counter without hashing,
//! so two different draws can never share a stream. The stream is what numpy gives for
//! `np.random.Philox(key=[seed, round << 32 | epoch], counter=[0, key_low, key_high, view << 56 | copy << 32 | op]).random_raw()`.

use std::f64::consts::TAU;

/// Identity of one sample: everything that its pixels may depend on besides the record itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct SampleKey {
    /// Seed of the run.
    pub seed: u64,
    /// Self-training round.
    pub round: u32,
    /// Epoch within the round.
    pub epoch: u32,
    /// Key of the record.
    pub key: u128,
    /// Which copy of the record it is, where one record is used several times in an epoch; below 2^24.
    pub copy: u32,
    /// Which of its views: a record that is emitted weak and strong has views 0 and 1.
    pub view: u8,
}

/// The random numbers of one op on one sample.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u64; 2],
    counter: [u64; 4],
    block: [u64; 4],
    used: usize,
}

impl Rng {
    /// The stream of op number `op` on a sample. Streams of different samples or ops are independent.
    #[must_use]
    pub fn new(sample: &SampleKey, op: u32) -> Self {
        let key = [sample.seed, u64::from(sample.round) << 32 | u64::from(sample.epoch)];
        let last = u64::from(sample.view) << 56 | u64::from(sample.copy) << 32 | u64::from(op);
        let counter = [0, sample.key as u64, (sample.key >> 64) as u64, last];
        Self { key, counter, block: [0; 4], used: 4 }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        if self.used == 4 {
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.block = philox(self.counter, self.key);
            self.used = 0;
        }
        let value = self.block[self.used];
        self.used += 1;
        value
    }

    /// Uniform in [0, 1), with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [low, high); `low` if they are equal.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in 0..n without bias (Lemire's multiplication with rejection); 0 if `n` is 0.
    pub fn range(&mut self, n: u32) -> u32 {
        let n = u64::from(n);
        let unfair = n.wrapping_neg().checked_rem(n).unwrap_or(0);
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            if wide as u64 >= unfair {
                return (wide >> 64) as u32;
            }
        }
    }

    /// True with probability `p`: never for 0, always for 1.
    pub fn coin(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Normal with mean 0 and standard deviation 1 (Box, Muller 1958: one of the pair).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        radius * libm::cos(TAU * self.uniform())
    }

    /// Gamma with this shape, above 0, and scale 1 (Marsaglia, Tsang 2000). A shape below 1 is drawn as one above 1
    /// times a power of a uniform number, as their section 6 shows; where that power is below the smallest f64 it is 0.
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = libm::pow(1.0 - self.uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0) * power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let t = 1.0 + c * x;
            let v = t * t * t;
            if v > 0.0 && libm::log(1.0 - self.uniform()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }

    /// Beta with these parameters, both above 0: a number in 0..=1 with mean `a / (a + b)`.
    pub(crate) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        match x + y {
            // Parameters so small that both underflow; what is left of the distribution is its two ends.
            0.0 => f64::from(u8::from(self.coin(a / (a + b)))),
            sum => x / sum,
        }
    }

    /// `count` weights that sum to 1, from the Dirichlet distribution whose parameters are all `alpha`, above 0.
    pub(crate) fn dirichlet(&mut self, alpha: f64, count: usize) -> Vec<f64> {
        let mut weights: Vec<f64> = (0..count).map(|_| self.gamma(alpha)).collect();
        let sum: f64 = weights.iter().sum();
        if sum > 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        } else if let Some(weight) = weights.get_mut(self.range(count as u32) as usize) {
            // As in `beta`: the corners are left.
            *weight = 1.0;
        }
        weights
    }

    /// Brings the items into random order, each order as likely as the others (Fisher, Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.range(last as u32 + 1) as usize);
        }
    }

    /// Brings the items into a random order in which none stays in its place, if there are two or more (Sattolo 1986).
    /// The order is one cycle: following the places leads through all items.
    pub(crate) fn derange<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.range(last as u32) as usize);
        }
    }
}

/// Philox4x64 with ten rounds; constants of the paper (and of Random123).
fn philox(mut counter: [u64; 4], mut key: [u64; 2]) -> [u64; 4] {
    for _ in 0..10 {
        let a = u128::from(counter[0]) * 0xD2E7_470E_E14C_6C93;
        let b = u128::from(counter[2]) * 0xCA5A_8263_9512_1157;
        counter = [(b >> 64) as u64 ^ counter[1] ^ key[0], b as u64, (a >> 64) as u64 ^ counter[3] ^ key[1], a as u64];
        key = [key[0].wrapping_add(0x9E37_79B9_7F4A_7C15), key[1].wrapping_add(0xBB67_AE85_84CA_A73B)];
    }
    counter
}

#[cfg(test)]
mod tests;
