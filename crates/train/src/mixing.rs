//! CutMix and MixUp of pixels where they are: on the device.

use millstream_data::Mixed;
use tch::{Kind, TchError, Tensor};

/// Bytes, `rows x height x width x channels`, each sample mixed with its partner as that was before: the same bytes as the stream
/// makes of the same plan. A value is `(own * keep + other * (65536 - keep) + 32768) / 65536`, rounded down, with `keep` 0 within
/// the area of a row.
pub(crate) fn mix(bytes: &Tensor, plan: &[Mixed]) -> Result<Tensor, TchError> {
    if plan.is_empty() {
        return Ok(bytes.shallow_clone());
    }
    let (_, height, width, _) = bytes.size4()?;
    let column = |value: fn(&Mixed) -> u32| {
        let values: Vec<i32> = plan.iter().map(|mixed| value(mixed) as i32).collect();
        Tensor::f_from_slice(&values)?.f_to_device(bytes.device())?.f_view([-1, 1, 1, 1])
    };
    let places = |sides: [i64; 4], length| Tensor::f_arange(length, (Kind::Int, bytes.device()))?.f_view(sides);
    let within = |at: &Tensor, first: fn(&Mixed) -> u32, end: fn(&Mixed) -> u32| {
        at.f_ge_tensor(&column(first)?)?.f_logical_and(&at.f_lt_tensor(&column(end)?)?)
    };
    let across = within(&places([1, 1, width, 1], width)?, |mixed| mixed.area[0], |mixed| mixed.area[2])?;
    let down = within(&places([1, height, 1, 1], height)?, |mixed| mixed.area[1], |mixed| mixed.area[3])?;
    let keep = column(|mixed| mixed.keep)?.f_masked_fill(&across.f_logical_and(&down)?, 0)?;
    let partners = column(|mixed| mixed.partner)?.f_view([-1])?;
    let other = bytes.f_index_select(0, &partners)?.f_to_kind(Kind::Int)?;
    // own * keep + other * (65536 - keep) = other * 65536 + (own - other) * keep
    let difference = bytes.f_to_kind(Kind::Int)?.f_sub(&other)?.f_mul(&keep)?;
    let sum = difference.f_add(&other.f_mul_scalar(1 << 16)?)?.f_add_scalar(1 << 15)?;
    sum.f_bitwise_right_shift_tensor_scalar(16)?.f_to_kind(Kind::Uint8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDES: [usize; 4] = [4, 5, 6, 3];

    /// Value by value, as the definition says.
    fn expected(bytes: &[u8], plan: &[Mixed]) -> Vec<u8> {
        let [_, height, width, channels] = SIDES;
        let value = |at: usize| {
            let (row, place) = (at / (height * width * channels), at / channels % (height * width));
            let Mixed { partner, keep, area: [left, top, right, bottom] } = plan[row];
            let (x, y) = ((place % width) as u32, (place / width) as u32);
            let keep = if (left..right).contains(&x) && (top..bottom).contains(&y) { 0 } else { u64::from(keep) };
            let other = bytes[at + partner as usize * height * width * channels - row * height * width * channels];
            ((u64::from(bytes[at]) * keep + u64::from(other) * (65536 - keep) + 32768) / 65536) as u8
        };
        (0..bytes.len()).map(value).collect()
    }

    #[test]
    fn every_value_is_what_the_plan_says() {
        let bytes: Vec<u8> = (0..SIDES.iter().product::<usize>()).map(|at| (at * 151 % 256) as u8).collect();
        let plan = [
            Mixed { partner: 1, keep: 65536, area: [0; 4] },
            Mixed { partner: 2, keep: 65536, area: [1, 2, 6, 5] },
            Mixed { partner: 3, keep: 20_001, area: [0; 4] },
            Mixed { partner: 0, keep: 0, area: [0; 4] },
        ];
        let tensor = Tensor::from_slice(&bytes).view(SIDES.map(|side| side as i64));
        let found: Vec<u8> = mix(&tensor, &plan).unwrap().flatten(0, -1).try_into().unwrap();
        assert_eq!(found, expected(&bytes, &plan));
        let same: Vec<u8> = mix(&tensor, &[]).unwrap().flatten(0, -1).try_into().unwrap();
        assert_eq!(same, bytes);
    }
}
