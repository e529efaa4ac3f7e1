//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Failure;

/// The checkout's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    // Relative to the root, as for cargo when it is called by `cargo()`.
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Where tasks keep what they make, created.
pub(crate) fn scratch() -> Result<PathBuf, Failure> {
    let folder = target().join("xtask");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    Ok(folder)
}

/// A release binary, which must have been built.
pub(crate) fn binary(name: &str) -> Result<PathBuf, Failure> {
    let path = target().join("release").join(name);
    if path.is_file() { Ok(path) } else { Err(Failure::new(format!("{} was not built", path.display()))) }
}

/// The running toolchain's cargo, at the root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// The `rust-version` of the workspace.
pub(crate) fn minimum_rust() -> Result<String, Failure> {
    let manifest = root().join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(|error| Failure::new(format!("Cargo.toml: {error}")))?;
    text.lines()
        .find_map(|line| line.strip_prefix("rust-version"))
        .and_then(|rest| rest.split('"').nth(1))
        .map(String::from)
        .ok_or_else(|| Failure::new("Cargo.toml states no rust-version"))
}

/// The files of a folder whose names end so, sorted.
pub(crate) fn files(folder: &str, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let folder = root().join(folder);
    let entries = std::fs::read_dir(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_rust_is_the_one_cargo_was_told() {
        assert_eq!(minimum_rust().unwrap(), env!("CARGO_PKG_RUST_VERSION"));
    }

    #[test]
    fn files_are_found_by_their_ending() {
        let found = files("xtask/src", "workspace.rs").unwrap();
        assert_eq!(found, [root().join("xtask/src/workspace.rs")]);
    }
}
