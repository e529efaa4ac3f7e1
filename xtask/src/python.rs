//! Python environments of our own, under the build directory.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::debian;
use crate::process::{Failure, has, output};
use crate::workspace;

const INSTALL: Duration = Duration::from_mins(10);

/// A virtual environment.
pub(crate) struct Python {
    folder: PathBuf,
}

impl Python {
    /// The environment of that name with these packages, made where it is missing.
    pub(crate) fn with(name: &str, packages: &[&str]) -> Result<Self, Failure> {
        let python = Self { folder: workspace::scratch()?.join(name) };
        if python.run(&["-m", "pip", "--version"]).is_err() {
            python.create()?;
        }
        let mut pip = python.command();
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        output(&mut pip, INSTALL)?;
        Ok(python)
    }

    /// The environment with the Python reference and what its web front needs.
    pub(crate) fn reference() -> Result<Self, Failure> {
        let packages = ["federatedsecure-client", "federatedsecure-server", "federatedsecure-simon", "flask", "numpy"];
        Self::with("venv-bench", &packages)
    }

    /// Its interpreter, at the root; it leaves no compiled files in the checkout.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.folder.join("bin").join("python"));
        command.current_dir(workspace::root()).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// What the interpreter prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        output(self.command().args(arguments), Duration::from_mins(1))
    }

    /// Name and version of an installed package.
    pub(crate) fn version(&self, package: &str) -> Result<String, Failure> {
        let script = format!("from importlib.metadata import version; print(version('{package}'))");
        Ok(format!("{package} {}", self.run(&["-c", &script])?.trim()))
    }

    fn create(&self) -> Result<(), Failure> {
        if !has("python3") {
            debian::install(&["python3"])?;
        }
        let venv = || {
            let mut command = Command::new("python3");
            command.args(["-m", "venv", "--clear"]).arg(&self.folder);
            command
        };
        // Debian's python3 comes without the module's other half.
        if output(&mut venv(), INSTALL).is_err() {
            debian::install(&["python3-venv"])?;
            output(&mut venv(), INSTALL)?;
        }
        Ok(())
    }
}
