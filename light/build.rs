//! Says to ../src/main.rs which package it is compiled in: the library has another name here.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cfg=light");
}
