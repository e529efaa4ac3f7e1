//! What each kind of artefact finds in itself: linkers drop what nobody mentions, and each in its own way.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{Failure, output};
use crate::workspace::{self, cargo};

/// The profiles, and the folders that cargo names after them: without optimisation, linked as programs in Rust usually
/// are for release, and as ours is, in one piece.
const PROFILES: [(&str, &str); 3] = [("dev", "debug"), ("embedder", "embedder"), ("release", "release")];

/// Builds all artefacts in all profiles and lets each compare what it finds with the catalogue. Says what they found.
pub(crate) fn check(limit: Duration) -> Result<String, Failure> {
    let mut found = String::new();
    for (profile, folder) in PROFILES {
        output(&mut cargo(&["build", "--package", "fsc-artefacts", "--profile", profile]), limit)?;
        let built = workspace::target().join(folder);
        let (shared, archive) = (built.join("libfsc_artefacts.so"), built.join("libfsc_artefacts.a"));
        for (kind, mut artefact) in [
            ("program", Command::new(built.join("artefact"))),
            ("shared library", linked(&shared, folder, limit)?),
            ("static library", linked(&archive, folder, limit)?),
        ] {
            output(&mut artefact, limit)
                .map_err(|_| Failure::new(format!("the {kind} in {folder} misses services or protocols")))?
                .trim()
                .clone_into(&mut found);
            println!("{folder} {kind}: {found}");
        }
    }
    Ok(found)
}

/// A program in C on top of a library, with as much dropped by the linker as it likes.
fn linked(library: &Path, folder: &str, limit: Duration) -> Result<Command, Failure> {
    let name = library.extension().unwrap_or_default().to_string_lossy();
    let program = workspace::scratch()?.join(format!("artefact-{folder}-{name}"));
    let mut compiler = Command::new("cc");
    compiler.current_dir(workspace::root()).args(["-Wall", "-Werror", "-O2", "-Wl,--gc-sections", "-o"]);
    compiler.arg(&program).arg("xtask/artefacts/src/main.c").arg(library).args(["-lpthread", "-ldl", "-lm"]);
    output(&mut compiler, limit)?;
    Ok(Command::new(program))
}
