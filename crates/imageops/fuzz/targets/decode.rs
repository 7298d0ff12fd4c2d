//! Decodes any bytes, whole and in parts: no panic, no wild memory, and a part is what it is in the whole image.
//! An input is an image file, whose last bytes choose how it is decoded, so every image file is a seed.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/decode.rs"]
mod decode;

// libFuzzer would end at every panic. Those that the crate catches pass, as they do in a stream; one that gets out is a
// finding all the same.
fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))),
    |file: &[u8]| decode::check(file)
);
