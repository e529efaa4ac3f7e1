//! The package for R: its archive, with the sources of the library, and its tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::debian;
use crate::library::Installed;
use crate::process::{Failure, has, output, run as run_to_end};
use crate::test::BUILD;
use crate::workspace;

/// What the package's tests and its check may take.
const CHECK: Duration = Duration::from_mins(20);

/// Crates that the library consists of.
const CRATES: [&str; 5] = ["fsc-core", "fsc-protocols", "fsc-transport", "fsc-node", "fsc-bindings"];

/// What to install to build and check a package.
const PACKAGES: [&str; 7] = [
    "r-base-core",
    "r-cran-codetools",
    "r-cran-testthat",
    "r-cran-jsonlite",
    "r-cran-knitr",
    "r-cran-rmarkdown",
    "pandoc",
];

/// What Debian's packages bring, as R asks for it.
const THERE: &str =
    "for (name in c('codetools', 'testthat', 'jsonlite', 'knitr', 'rmarkdown')) library(name, character.only = TRUE)";

/// `cargo xtask r-package [--vendor]`.
pub(crate) fn package(arguments: &[String]) -> Result<ExitCode, Failure> {
    let is_vendored = arguments.iter().any(|argument| argument == "--vendor");
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--vendor") {
        return Err(Failure::new(format!("r-package takes --vendor, not {unknown}")));
    }
    prepare()?;
    println!("{}", archive(&Installed::lean()?, is_vendored)?.display());
    Ok(ExitCode::SUCCESS)
}

/// The package under the build directory, installed from its archive.
pub(crate) struct Package {
    library: PathBuf,
}

impl Package {
    /// Makes the archive, checks it as R checks packages, and installs it, with a library that is built from the archive's own sources.
    pub(crate) fn checked() -> Result<Self, Failure> {
        prepare()?;
        let staged = Installed::lean()?;
        let archive = archive(&staged, false)?;
        let mut check = r(&["CMD", "check", "--no-manual"]);
        check.current_dir(folder("check")?).env("FSC_PREFIX", staged.prefix()).arg(&archive);
        let said = output(&mut check, CHECK)?;
        print!("{said}");
        if !said.contains("Status: OK") {
            return Err(Failure::new("R CMD check has something to say about the package"));
        }
        Self::installed(&archive)
    }

    fn installed(archive: &Path) -> Result<Self, Failure> {
        let library = folder("library")?;
        let mut install = r(&["CMD", "INSTALL", "--no-test-load"]);
        install.arg(format!("--library={}", library.display())).arg(archive);
        run_to_end(install.env("CARGO_TARGET_DIR", workspace::scratch()?.join("r").join("target")), BUILD)?;
        Ok(Self { library })
    }

    /// The package that the last check has installed.
    pub(crate) fn there() -> Result<Self, Failure> {
        let library = workspace::scratch()?.join("r").join("library");
        if library.join("fsc").is_dir() { Ok(Self { library }) } else { Self::checked() }
    }

    /// A script in R, which finds the package.
    pub(crate) fn script(&self, file: &str) -> Command {
        let mut command = Command::new("Rscript");
        command.current_dir(workspace::root()).env("R_LIBS", &self.library).arg("--vanilla").arg(file);
        command
    }

    /// How large it is.
    pub(crate) fn size(&self) -> String {
        let shared = self.library.join("fsc").join("libs").join("fsc.so");
        shared
            .metadata()
            .map_or_else(|_| "of unknown size".into(), |file| format!("fsc.so {:.2} MB", file.len() as f64 / 1e6))
    }
}

fn prepare() -> Result<(), Failure> {
    let is_there = || {
        let mut rscript = Command::new("Rscript");
        has("pandoc") && output(rscript.args(["--vanilla", "-e", THERE]), CHECK).is_ok()
    };
    if is_there() { Ok(()) } else { debian::install(&PACKAGES) }
}

fn r(arguments: &[&str]) -> Command {
    let mut command = Command::new("R");
    command.current_dir(workspace::root()).args(arguments);
    command
}

/// A folder among the tasks' products that concern R, emptied.
fn folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = workspace::scratch()?.join("r").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    Ok(folder)
}

/// The package's archive: its files, and the sources of the library under src/rust. Vignettes are made with a library that is built already.
fn archive(staged: &Installed, is_vendored: bool) -> Result<PathBuf, Failure> {
    let folder = folder("build")?;
    let package = folder.join("fsc");
    copy(Path::new("fsc-bindings/r"), &package)?;
    let sources = package.join("src").join("rust");
    for name in CRATES {
        for part in ["README.md", "build.rs", "src", "include"] {
            copy(&Path::new(name).join(part), &sources.join(name).join(part))?;
        }
        write(&sources.join(name).join("Cargo.toml"), &library_only(&manifest(name)?))?;
    }
    write(&sources.join("Cargo.toml"), &reduced(&manifest("")?))?;
    for file in ["Cargo.lock", "api/openapi.yaml"] {
        copy(Path::new(file), &sources.join(file))?;
    }
    // Drops from the lock file what those crates do not need, and changes nothing else.
    let mut prune = workspace::cargo(&["metadata", "--format-version", "1", "--offline"]);
    output(prune.current_dir(&sources), BUILD)?;
    if is_vendored {
        output(workspace::cargo(&["vendor", "--locked", "vendor"]).current_dir(&sources), BUILD)?;
        // An archive, for R would change some of the files.
        output(Command::new("tar").args(["cJf", "vendor.tar.xz", "vendor"]).current_dir(&sources), BUILD)?;
        fs::remove_dir_all(sources.join("vendor")).map_err(|error| Failure::new(format!("vendor: {error}")))?;
    }
    let mut build = r(&["CMD", "build", "fsc"]);
    run_to_end(build.current_dir(&folder).env("FSC_PREFIX", staged.prefix()), CHECK)?;
    let archives = fs::read_dir(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    let mut archives = archives.flatten().map(|entry| entry.path());
    archives
        .find(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .ok_or_else(|| Failure::new("R CMD build has made no archive"))
}

/// The manifest of a crate, or of the workspace.
fn manifest(name: &str) -> Result<String, Failure> {
    let path = workspace::root().join(name).join("Cargo.toml");
    fs::read_to_string(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// A crate's manifest without programs and tests, and what they need.
fn library_only(manifest: &str) -> String {
    let mut is_kept = true;
    let kept = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            is_kept = !["[[bin]]", "[[test]]", "[[bench]]", "[[example]]", "[dev-dependencies]"].contains(line);
        }
        is_kept
    });
    kept.fold(String::new(), |text, line| text + line + "\n")
}

/// The workspace's manifest with those crates only.
fn reduced(manifest: &str) -> String {
    let members = CRATES.map(|name| format!("{name:?}")).join(", ");
    let kept = |line: &&str| !line.starts_with("exclude") && !line.starts_with("# cargo-fuzz");
    let lines = manifest.lines().filter(kept).map(|line| match line.split_once(" = ") {
        Some(("members", _)) => format!("members = [{members}]"),
        Some(("default-members", _)) => "default-members = [\"fsc-bindings\"]".into(),
        _ => line.to_owned(),
    });
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

/// Copies a file or folder of the checkout, without what is made; nothing if it is not there.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::new(format!("{}: {error}", from.display()));
    let from = workspace::root().join(from);
    if from.is_dir() {
        fs::create_dir_all(to).map_err(wrong)?;
        for entry in fs::read_dir(&from).map_err(wrong)?.flatten() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if from.is_file() && !is_made(&from) {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(wrong)?;
        }
        fs::copy(&from, to).map_err(wrong)?;
    }
    Ok(())
}

/// Whether a file in the package's folder comes of an installation there.
fn is_made(path: &Path) -> bool {
    let made = path.extension().is_some_and(|extension| extension == "o" || extension == "so");
    made || ["Makevars", "fsc.map", ".gitignore"].iter().any(|name| path.ends_with(name))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_librarys_manifest_has_neither_programs_nor_tests() {
        let whole = manifest("fsc-node").unwrap();
        let library = library_only(&whole);
        for section in ["[[bin]]", "[[test]]", "[dev-dependencies]"] {
            assert!(whole.contains(section) && !library.contains(section), "{section}");
        }
        assert!(library.contains("[features]") && library.contains("[dependencies]") && library.contains("[lints]"));
    }

    #[test]
    fn a_reduced_manifest_has_the_librarys_crates_and_the_workspaces_settings() {
        let reduced = reduced(&manifest("").unwrap());
        assert!(reduced.contains(
            "members = [\"fsc-core\", \"fsc-protocols\", \"fsc-transport\", \"fsc-node\", \"fsc-bindings\"]\n"
        ));
        assert!(!reduced.contains("xtask\""), "{reduced}");
        assert!(reduced.contains("[profile.release]") && reduced.contains("[workspace.lints.rust]"));
    }
}
