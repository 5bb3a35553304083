//! Tells the linker where libtorch lies, so that the programs built here start with no environment variables.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_TORCH").is_none() {
        return;
    }
    // The loader asks RPATH before LD_LIBRARY_PATH and RUNPATH after it: a PyTorch that an environment module or conda puts there is another
    // version. libtorch's own libraries have RPATHs too, so that all of them come from one folder.
    println!("cargo:rustc-link-arg=-Wl,--disable-new-dtags");
    // target/{debug,release}/rematch, wherever the folder is moved to as a whole
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../../.libtorch/torch/lib");
    // tests in target/*/deps and benches too. `links = "tch"` names the variable, not the package.
    if let Ok(dir) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
    }
}
