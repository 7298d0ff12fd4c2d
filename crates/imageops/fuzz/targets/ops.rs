//! Applies steps and ops, with arguments in and out of range, to small images: an error that names the argument, or an image.
//! What the renderer makes of a view in few strokes must be what its ops give one by one.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/ops.rs"]
mod ops;

fuzz_target!(|input: &[u8]| ops::check(input));
