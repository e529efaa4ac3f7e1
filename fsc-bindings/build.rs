//! Gives the shared library the name under which programs that were linked with it look for it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if matches!(os.as_str(), "linux" | "freebsd" | "netbsd" | "openbsd" | "android") {
        // The number is that of `ABI_VERSION` in src/library.rs.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libfsc.so.1");
        // It has threads, and functions that the process calls when it forks: it can't be taken out again.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
