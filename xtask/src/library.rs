//! The C library, as programs find it: built, installed under a prefix, and its header.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::options;
use crate::process::{Failure, has, output, run as run_to_end};
use crate::test::BUILD;
use crate::workspace::{self, cargo};

/// What programs that were linked with the shared library look for; as in fsc-bindings/build.rs.
const SONAME: &str = "libfsc.so.1";

/// `cargo xtask install --prefix P [--client]`.
pub(crate) fn install(arguments: &[String]) -> Result<ExitCode, Failure> {
    let (prefixes, others) = options(arguments, "--prefix")?;
    let is_client = others.iter().any(|argument| argument == "--client");
    if let Some(unknown) = others.iter().find(|argument| *argument != "--client") {
        return Err(Failure::new(format!("install takes --prefix P and --client, not {unknown}")));
    }
    let prefix = prefixes.last().ok_or_else(|| Failure::new("install needs --prefix P, as /usr/local"))?;
    let installed = Installed::at(Path::new(prefix), if is_client { Build::Client } else { Build::Whole })?;
    println!(
        "{}\ncc … $(PKG_CONFIG_PATH={} pkg-config --cflags --libs fsc)",
        installed.sizes()?,
        installed.pkgconfig().display()
    );
    Ok(ExitCode::SUCCESS)
}

/// `cargo xtask header`.
pub(crate) fn header(_: &[String]) -> Result<ExitCode, Failure> {
    let mut command = cargo(&["test", "--quiet", "--package", "fsc-bindings", "--test", "header"]);
    run_to_end(command.env("FSC_WRITE_HEADER", "1"), BUILD)?;
    println!("fsc-bindings/include/fsc.h is what the sources say");
    Ok(ExitCode::SUCCESS)
}

/// What is built.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// All of it.
    Whole,
    /// All of it, for packages of other languages.
    Lean,
    /// A client by HTTP.
    Client,
}

/// The library under a prefix.
pub(crate) struct Installed {
    prefix: PathBuf,
}

impl Installed {
    /// Builds the library and installs it there.
    pub(crate) fn at(prefix: &Path, which: Build) -> Result<Self, Failure> {
        let prefix = std::path::absolute(prefix).map_err(|error| wrong(prefix, &error))?;
        let built = build(which)?;
        let installed = Self { prefix };
        for folder in [installed.lib(), installed.include(), installed.pkgconfig()] {
            fs::create_dir_all(&folder).map_err(|error| wrong(&folder, &error))?;
        }
        copy(&built.join("libfsc.so"), &installed.lib().join(SONAME))?;
        copy(&built.join("libfsc.a"), &installed.archive())?;
        copy(&workspace::root().join("fsc-bindings/include/fsc.h"), &installed.include().join("fsc.h"))?;
        let link = installed.lib().join("libfsc.so");
        // It may be there from before.
        let _ = fs::remove_file(&link);
        symlink(SONAME, &link).map_err(|error| wrong(&link, &error))?;
        // Of what the compiler leaves for debuggers, the shared library has nothing already.
        if has("strip") {
            output(Command::new("strip").arg("--strip-unneeded").arg(installed.archive()), BUILD)?;
        }
        installed.write_pc()?;
        Ok(installed)
    }

    /// The library under the build directory, for tests.
    pub(crate) fn staged() -> Result<Self, Failure> {
        Self::at(&workspace::scratch()?.join("prefix"), Build::Whole)
    }

    /// The client alone, likewise.
    pub(crate) fn client() -> Result<Self, Failure> {
        Self::at(&workspace::scratch()?.join("prefix-client"), Build::Client)
    }

    /// All of it as the package for R has it, likewise.
    pub(crate) fn lean() -> Result<Self, Failure> {
        Self::at(&workspace::scratch()?.join("prefix-lean"), Build::Lean)
    }

    /// Where it is.
    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The folder of the libraries.
    pub(crate) fn lib(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    /// The folder of the header.
    pub(crate) fn include(&self) -> PathBuf {
        self.prefix.join("include")
    }

    /// The static library.
    pub(crate) fn archive(&self) -> PathBuf {
        self.lib().join("libfsc.a")
    }

    /// Where pkg-config finds it.
    pub(crate) fn pkgconfig(&self) -> PathBuf {
        self.lib().join("pkgconfig")
    }

    /// How large the libraries are.
    pub(crate) fn sizes(&self) -> Result<String, Failure> {
        let size = |path: PathBuf| {
            let file = path.metadata().map_err(|error| wrong(&path, &error))?;
            Ok::<f64, Failure>(file.len() as f64 / 1e6)
        };
        Ok(format!("libfsc.so {:.2} MB, libfsc.a {:.1} MB", size(self.lib().join(SONAME))?, size(self.archive())?))
    }

    fn write_pc(&self) -> Result<(), Failure> {
        let template = workspace::root().join("fsc-bindings/fsc.pc.in");
        let text = fs::read_to_string(&template).map_err(|error| wrong(&template, &error))?;
        let text =
            text.replace("@prefix@", &self.prefix.to_string_lossy()).replace("@version@", env!("CARGO_PKG_VERSION"));
        let file = self.pkgconfig().join("fsc.pc");
        fs::write(&file, text).map_err(|error| wrong(&file, &error))
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map(|_| ()).map_err(|error| wrong(to, &error))
}

/// Builds the libraries, in one piece each, and says where they are.
fn build(which: Build) -> Result<PathBuf, Failure> {
    let (profile, target) = match which {
        Build::Whole => ("release", workspace::target()),
        Build::Lean => ("lean", workspace::target()),
        // With other features, so that neither takes the other's place.
        Build::Client => ("release", workspace::scratch()?.join("client")),
    };
    let mut command = cargo(&["rustc", "--profile", profile, "--package", "fsc-bindings", "--lib"]);
    command.args(["--crate-type", "cdylib,staticlib", "--target-dir"]).arg(&target);
    if let Build::Client = which {
        command.args(["--no-default-features", "--features", "http"]);
    }
    run_to_end(&mut command, BUILD)?;
    Ok(target.join(profile))
}

fn wrong(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
