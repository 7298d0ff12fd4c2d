//! Looking up every value of an image in tables of 256 entries.

use super::point::Table;
use super::simd::{self, Level};

/// Looks up every value in one table.
pub(super) fn map(values: &mut [u8], table: &Table) {
    let done = match simd::level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU has these instructions.
        #[allow(unsafe_code)]
        Level::Vbmi => unsafe { x86::map_vbmi(values, table) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU has these instructions.
        #[allow(unsafe_code)]
        Level::Avx2 => unsafe { x86::map_avx2(values, table) },
        _ => 0,
    };
    for value in values.iter_mut().skip(done) {
        *value = table[usize::from(*value)];
    }
}

/// Looks up every channel of RGB pixels in its own table.
pub(super) fn map_rgb(values: &mut [u8], tables: &[Table; 3]) {
    let done = match simd::level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU has these instructions.
        #[allow(unsafe_code)]
        Level::Vbmi => unsafe { x86::map_rgb_vbmi(values, tables) },
        _ => 0,
    };
    for pixel in values[done..].as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(tables) {
            *value = table[usize::from(*value)];
        }
    }
}

/// Each function does as many whole vectors as there are and returns how many values that was.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, __m512i, _mm_loadu_si128, _mm256_adds_epu8, _mm256_broadcastsi128_si256, _mm256_loadu_si256,
        _mm256_or_si256, _mm256_set1_epi8, _mm256_shuffle_epi8, _mm256_storeu_si256, _mm256_sub_epi8,
        _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
        _mm512_setzero_si512, _mm512_storeu_si512,
    };

    use super::Table;

    /// A table in four vectors.
    type Quarters = [__m512i; 4];

    #[target_feature(enable = "avx512bw")]
    fn quarters(table: &Table) -> Quarters {
        let mut quarters = [_mm512_setzero_si512(); 4];
        for (quarter, part) in quarters.iter_mut().zip(table.as_chunks::<64>().0) {
            *quarter = load(part);
        }
        quarters
    }

    #[target_feature(enable = "avx512bw")]
    #[allow(unsafe_code)]
    fn load(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: 64 bytes are there, and the load asks for no alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512bw")]
    #[allow(unsafe_code)]
    fn store(bytes: &mut [u8; 64], vector: __m512i) {
        // SAFETY: 64 bytes are there, and the store asks for no alignment.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector) }
    }

    /// Two look-ups of the lower seven bits, then a choice by the highest.
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn look_up(values: __m512i, [a, b, c, d]: Quarters) -> __m512i {
        let low = _mm512_permutex2var_epi8(a, values, b);
        let high = _mm512_permutex2var_epi8(c, values, d);
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(values), low, high)
    }

    #[target_feature(enable = "avx512bw,avx512vbmi")]
    pub(super) fn map_vbmi(values: &mut [u8], table: &Table) -> usize {
        let table = quarters(table);
        let (blocks, _) = values.as_chunks_mut::<64>();
        for block in blocks.iter_mut() {
            store(block, look_up(load(block), table));
        }
        blocks.len() * 64
    }

    /// Three vectors are 64 pixels. Vector `n` begins in channel `n % 3` since 64 = 1 mod 3.
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    pub(super) fn map_rgb_vbmi(values: &mut [u8], [red, green, blue]: &[Table; 3]) -> usize {
        /// Every third bit, from the first.
        const THIRD: u64 = 0x9249_2492_4924_9249;
        let (red, green, blue) = (quarters(red), quarters(green), quarters(blue));
        let (blocks, _) = values.as_chunks_mut::<192>();
        for block in blocks.iter_mut() {
            for (n, part) in block.as_chunks_mut::<64>().0.iter_mut().enumerate() {
                let (green_at, blue_at) = match n {
                    0 => (THIRD << 1, THIRD << 2),
                    1 => (THIRD, THIRD << 1),
                    _ => (THIRD << 2, THIRD),
                };
                let values = load(part);
                let mixed = _mm512_mask_blend_epi8(green_at, look_up(values, red), look_up(values, green));
                store(part, _mm512_mask_blend_epi8(blue_at, mixed, look_up(values, blue)));
            }
        }
        blocks.len() * 192
    }

    /// Sixteen look-ups of four bits. With 16 n subtracted, only the values of row `n` are below 16; the saturating
    /// addition of 112 sets the highest bit of all others, for which the shuffle gives 0.
    #[target_feature(enable = "avx2")]
    #[allow(unsafe_code)]
    pub(super) fn map_avx2(values: &mut [u8], table: &Table) -> usize {
        let mut rows = [_mm256_set1_epi8(0); 16];
        for (row, part) in rows.iter_mut().zip(table.as_chunks::<16>().0) {
            // SAFETY: 16 bytes are there, and the load asks for no alignment.
            *row = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(part.as_ptr().cast::<__m128i>()) });
        }
        let (blocks, _) = values.as_chunks_mut::<32>();
        for block in blocks.iter_mut() {
            // SAFETY: 32 bytes are there, and the load asks for no alignment.
            let mut rest = unsafe { _mm256_loadu_si256(block.as_ptr().cast::<__m256i>()) };
            let mut found = _mm256_set1_epi8(0);
            for row in rows {
                let index = _mm256_adds_epu8(rest, _mm256_set1_epi8(112));
                found = _mm256_or_si256(found, _mm256_shuffle_epi8(row, index));
                rest = _mm256_sub_epi8(rest, _mm256_set1_epi8(16));
            }
            // SAFETY: 32 bytes are there, and the store asks for no alignment.
            unsafe { _mm256_storeu_si256(block.as_mut_ptr().cast::<__m256i>(), found) };
        }
        blocks.len() * 32
    }
}
