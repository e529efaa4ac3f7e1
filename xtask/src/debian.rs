//! Programs that Debian's packages bring.

use std::process::Command;
use std::time::Duration;

use crate::process::{Failure, has, output, run};

const INSTALL: Duration = Duration::from_mins(10);

/// Whether a program is there and says its version when it is asked so, if need be after installing its package.
pub(crate) fn provides(program: &str, ask: &str, package: &str) -> bool {
    let has_it = || output(Command::new(program).arg(ask), INSTALL).is_ok();
    has_it() || install(&[package]).is_ok() && has_it()
}

/// Installs packages where that is ours to do; names them otherwise.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let names = packages.join(" ");
    let missing = || Failure::new(format!("missing: apt-get install {names}"));
    let root = output(Command::new("id").arg("-u"), INSTALL).is_ok_and(|id| id.trim() == "0");
    if !root || !has("apt-get") {
        return Err(missing());
    }
    println!("installing {names}");
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"), INSTALL)
    };
    let wanted = [&["install", "-qq", "-y", "--no-install-recommends"], packages].concat();
    // The lists may be there already, and fresh enough.
    apt(&wanted).or_else(|_| apt(&["update", "-qq"]).and_then(|()| apt(&wanted))).map_err(|_| missing())
}
