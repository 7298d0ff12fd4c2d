//! Which records show the same image.
//!
//! Candidates are records whose bytes are the same or whose perceptual hashes are near, as for `curate`. The hash is coarse: images of
//! one kind (shirts before a plain ground) have near hashes though they show different things. So candidates that are not the same
//! bytes are held against each other at 32 x 32.

use std::ops::Range;

use millstream_data::DataError;
use millstream_imageops::likeness;
use millstream_labels::{Groups, near_hashes};

use super::{Catalogue, Look};

/// Images that show the same correlate at least so much at 32 x 32 pixels in gray. Another encoding, size, brightness or contrast of one
/// image leaves more than that; two garments of one cut, as in Fashion-MNIST, reach 0.997.
pub const ALIKE: f64 = 0.998;
/// Or, where there is so little contrast that rounding shows, at least so much, and nothing but rounding is left.
const ALMOST: f64 = 0.99;
const ROUNDING: f64 = 1.0;
/// And their aspect ratios differ by at most this factor.
const STRETCH: f64 = 1.05;

/// Records that show the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their positions among [`Catalogue::looks`], in order; at least two.
    pub members: Vec<u32>,
    /// Whether all of them have the same bytes.
    pub exact: bool,
}

/// Finds the records that show the same, in the order of the first of each group. Perceptual hashes within `distance` bits are near.
///
/// # Errors
/// What was put aside cannot be read again.
pub fn groups(catalogue: &Catalogue, distance: u32) -> Result<Vec<Group>, DataError> {
    let looks = catalogue.looks();
    let mut groups = Groups::new(u32::try_from(looks.len()).unwrap_or(u32::MAX));
    let different = contents(looks, &mut groups);
    let (hashes, faces) = faces(catalogue, different, &mut groups)?;
    near_hashes(&hashes, distance, |one, other, _| {
        for a in &faces.of[faces.each[one as usize].clone()] {
            for b in &faces.of[faces.each[other as usize].clone()] {
                if groups.first(*a) != groups.first(*b) && alike(catalogue, *a, *b)? {
                    groups.join(*a, *b);
                }
            }
        }
        Ok::<(), DataError>(())
    })?;
    Ok(collected(looks, &mut groups))
}

/// Joins the records of the same bytes. Returns the first record of each content.
fn contents(looks: &[Look], groups: &mut Groups) -> Vec<u32> {
    let content = |at: &u32| looks[*at as usize].print.content;
    let mut order: Vec<u32> = (0..).zip(looks).map(|(at, _)| at).collect();
    order.sort_unstable_by_key(|at| (content(at), *at));
    for same in order.chunk_by(|a, b| content(a) == content(b)) {
        same.iter().for_each(|at| groups.join(same[0], *at));
    }
    order.dedup_by_key(|at| content(at));
    order
}

/// The records of each hash that do not show the same as one before them.
#[derive(Default)]
struct Faces {
    of: Vec<u32>,
    /// Those of each hash.
    each: Vec<Range<usize>>,
}

/// Joins records of one hash that show the same. Returns the hashes, sorted, and what is left of each.
fn faces(catalogue: &Catalogue, mut order: Vec<u32>, groups: &mut Groups) -> Result<(Vec<u64>, Faces), DataError> {
    let hash = |at: &u32| catalogue.looks()[*at as usize].print.perceptual;
    order.sort_unstable_by_key(|at| (hash(at), *at));
    let (mut hashes, mut faces) = (Vec::new(), Faces::default());
    for same in order.chunk_by(|a, b| hash(a) == hash(b)) {
        let start = faces.of.len();
        for at in same {
            match first_alike(catalogue, &faces.of[start..], *at)? {
                Some(face) => groups.join(face, *at),
                None => faces.of.push(*at),
            }
        }
        hashes.push(hash(&same[0]));
        faces.each.push(start..faces.of.len());
    }
    Ok((hashes, faces))
}

fn first_alike(catalogue: &Catalogue, faces: &[u32], at: u32) -> Result<Option<u32>, DataError> {
    for face in faces {
        if alike(catalogue, *face, at)? {
            return Ok(Some(*face));
        }
    }
    Ok(None)
}

/// Whether two records show the same, held against each other.
fn alike(catalogue: &Catalogue, one: u32, other: u32) -> Result<bool, DataError> {
    let (one, other) = (&catalogue.looks()[one as usize], &catalogue.looks()[other as usize]);
    let aspect = |look: &Look| f64::from(look.width) / f64::from(look.height);
    let stretch = aspect(one) / aspect(other);
    if !(1.0 / STRETCH..=STRETCH).contains(&stretch) {
        return Ok(false);
    }
    let found = likeness(&catalogue.thumbnail(one)?, &catalogue.thumbnail(other)?);
    Ok(found.correlation >= ALIKE || (found.correlation >= ALMOST && found.residual <= ROUNDING))
}

fn collected(looks: &[Look], groups: &mut Groups) -> Vec<Group> {
    let mut order: Vec<(u32, u32)> = (0..).zip(looks).map(|(at, _)| (groups.first(at), at)).collect();
    order.sort_unstable();
    let several = order.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
    let group = |group: &[(u32, u32)]| {
        let members: Vec<u32> = group.iter().map(|(_, at)| *at).collect();
        let content = |at: &u32| looks[*at as usize].print.content;
        let exact = members.iter().all(|at| content(at) == content(&members[0]));
        Group { members, exact }
    };
    several.map(group).collect()
}
