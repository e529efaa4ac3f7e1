//! Three servers for as long as a step lasts.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::process::{Failure, Process, output};
use crate::python::Python;
use crate::workspace;

/// How long a server may take until it listens; an interpreter on a busy machine takes seconds.
const READY: Duration = Duration::from_mins(1);

/// A server that said where it listens.
pub(crate) struct Server {
    process: Process,
    /// Its address, `http://HOST:PORT`.
    pub(crate) url: String,
    log: PathBuf,
}

impl Server {
    /// Starts a server that prints `listening on URL` when it is ready; what it says to its error stream goes to a log.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self, Failure> {
        let log = workspace::scratch()?.join(format!("{name}.log"));
        let errors = File::create(&log).map_err(|error| Failure::new(format!("{}: {error}", log.display())))?;
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(errors))?;
        let url = first_line(&mut process)
            .and_then(|line| line.strip_prefix("listening on ").map(String::from))
            .ok_or_else(|| Failure::new(format!("{name} does not say where it listens:\n{}", tail(&log))))?;
        Ok(Self { process, url, log })
    }

    /// Stops the server; one that had ended by itself or does not end well is a failure.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        if let Ok(status) = self.process.wait(Duration::ZERO) {
            return Err(Failure::new(format!("a server had ended with {status}:\n{}", tail(&self.log))));
        }
        let status = self.process.stop()?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("a server ended with {status} on SIGTERM:\n{}", tail(&self.log))))
        }
    }
}

/// Three servers.
pub(crate) struct Federation(Vec<Server>);

/// What the configuration of a node with a key is called.
const KEYED: &str = "keyed";

impl Federation {
    /// Three nodes of ours, from the release build.
    pub(crate) fn ours() -> Result<Self, Failure> {
        let fsc = workspace::binary("fsc")?;
        Self::start("node", || {
            let mut command = Command::new(&fsc);
            command.args(["serve", "--listen", "127.0.0.1:0"]);
            command
        })
    }

    /// Three nodes of ours that have keys; their addresses name them by their ids.
    pub(crate) fn sealed() -> Result<Self, Failure> {
        let fsc = workspace::binary("fsc")?;
        let node = |place: usize| {
            let base = workspace::scratch()?.join(format!("{KEYED}-{place}"));
            let (key, config) = (base.with_extension("key"), base.with_extension("toml"));
            let _ = fs::remove_file(&key);
            let id = output(Command::new(&fsc).arg("keygen").arg(&key), READY)?;
            fs::write(&config, format!("[identity]\nkey = {:?}\n", key.display().to_string()))
                .map_err(|error| Failure::new(format!("{}: {error}", config.display())))?;
            let mut command = Command::new(&fsc);
            command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config);
            let mut server = Server::start(&format!("{KEYED}-{place}"), &mut command)?;
            server.url = format!("{}#{}", server.url, id.trim());
            Ok(server)
        };
        (0..3).map(node).collect::<Result<_, _>>().map(Self)
    }

    /// Three servers of the Python reference.
    pub(crate) fn reference(python: &Python) -> Result<Self, Failure> {
        Self::start("reference", || {
            let mut command = python.command();
            command.arg("xtask/peers/reference_server.py");
            command
        })
    }

    /// Three servers by the same command.
    pub(crate) fn start(name: &str, command: impl Fn() -> Command) -> Result<Self, Failure> {
        (0..3)
            .map(|place| Server::start(&format!("{name}-{place}"), &mut command()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Their addresses.
    pub(crate) fn urls(&self) -> Vec<&str> {
        self.0.iter().map(|server| server.url.as_str()).collect()
    }

    /// The most memory that one of them has had resident, in megabytes.
    pub(crate) fn peak_megabytes(&self) -> Result<f64, Failure> {
        let peaks = self.0.iter().map(|server| {
            let status = fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix(" kB")?.parse::<f64>().ok()
        });
        let peaks: Option<Vec<f64>> = peaks.collect();
        let peaks = peaks.ok_or_else(|| Failure::new("/proc does not say how much memory the nodes had"))?;
        Ok(peaks.into_iter().fold(0.0, f64::max) * 1024.0 / 1e6)
    }

    /// Stops all of them, as an operator would; each must end well.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.0.into_iter().try_for_each(Server::stop)
    }
}

/// The first line that the process prints, unless it ends or the time is over.
fn first_line(process: &mut Process) -> Option<String> {
    let out = process.child().stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let _ = sender.send(lines.next());
        // Read on, so that a talkative server never waits for a full pipe.
        lines.for_each(drop);
    });
    receiver.recv_timeout(READY).ok().flatten()
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_server_is_ready_when_it_says_so() {
        let script = "trap 'exit 0' TERM; echo listening on http://127.0.0.1:1; while :; do sleep 0.05; done";
        let started = Server::start("test-ready", &mut server(script)).unwrap();
        assert_eq!(started.url, "http://127.0.0.1:1");
        started.stop().unwrap();
    }

    #[test]
    fn a_server_that_ends_at_once_is_a_failure_that_shows_its_log() {
        let failure =
            Server::start("test-ends", &mut server("echo 'no such port' >&2; exit 2")).map(|_| ()).unwrap_err();
        assert!(failure.to_string().contains("no such port"), "{failure}");
    }

    #[test]
    fn a_server_that_dies_meanwhile_is_a_failure() {
        let mut started = Server::start("test-dies", &mut server("echo listening on x; exit 0")).unwrap();
        started.process.wait(READY).unwrap();
        assert!(started.stop().is_err());
    }
}
