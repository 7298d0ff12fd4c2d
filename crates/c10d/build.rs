//! Compiles the pages of C++ that stand between libtorch's classes and Rust, against the headers of `.libtorch`.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let root = PathBuf::from(env::var_os("LIBTORCH").unwrap_or_default());
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .files(["src/shim.cpp", "src/group.cpp", "src/batch_norm.cpp"])
        .define("USE_C10D_GLOO", None)
        // Stand-ins for the headers of Gloo, which are not part of libtorch.
        .include("src")
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .flag_if_supported("-Wno-unused-parameter")
        .compile("millstream_c10d");
    println!("cargo::rustc-link-search=native={}", root.join("lib").display());
    println!("cargo::rustc-link-lib=torch_cpu");
    println!("cargo::rustc-link-lib=c10");
    // For the tests of this crate; programs say for themselves where they look.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", root.join("lib").display());
}
