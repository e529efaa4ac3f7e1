//! The header is what the sources say.

use std::path::Path;

/// The header, as it is made.
fn made() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("a configuration");
    let bindings = cbindgen::Builder::new().with_crate(folder).with_config(config).generate().expect("bindings");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).expect("a text")
}

/// With `FSC_WRITE_HEADER`, writes it instead of looking.
#[test]
fn header_is_made_of_the_sources() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/fsc.h");
    let made = made();
    if std::env::var_os("FSC_WRITE_HEADER").is_some() {
        std::fs::write(&path, made).expect("written");
        return;
    }
    let there = std::fs::read_to_string(&path).expect("include/fsc.h");
    assert!(there == made, "include/fsc.h is not what src/ says: cargo xtask header, and look what has changed");
}
