//! Tells the linker where the binary finds libtorch at run time, so that nobody has to export anything.

fn main() {
    // Relative first, so that a checkout (or a deployed folder) can be moved.
    for path in ["$ORIGIN/../lib", "$ORIGIN/../../.libtorch/lib", "$ORIGIN/../../../.libtorch/lib"] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{path}");
    }
    // Absolute last, for a target folder that lies elsewhere.
    if let Ok(root) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{root}/lib");
    }
    println!("cargo:rerun-if-env-changed=LIBTORCH");
}
