//! Nodes as processes.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fsc_core::identity::NodeId;
use fsc_core::transport::Address;

/// `fsc serve` as a process; killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: Address,
    /// The node's id, if it has a key.
    pub(crate) id: Option<NodeId>,
}

impl Process {
    /// Starts a node at a free port, and waits until it is ready.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_at("127.0.0.1:0", config)
    }

    /// The same at a given address.
    pub(crate) fn start_at(listen: &str, config: &str) -> Self {
        Self::start_by(listen, &written(config))
    }

    /// The same by a file.
    pub(crate) fn start_by(listen: &str, config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fsc"))
            .args(["serve", "--listen", listen, "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (say, hear) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
        let line = || hear.recv_timeout(Duration::from_secs(30)).expect("a line");
        let address = line().strip_prefix("listening on ").unwrap().parse().unwrap();
        let has_key = fs::read_to_string(config).unwrap().contains("[identity]");
        let id = || loop {
            if let Some(id) = line().strip_prefix("this is node ") {
                return id.parse().unwrap();
            }
        };
        let id = has_key.then(id);
        Self { child, address, id }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub(crate) fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command of `fsc` that a person answers; killed when dropped.
pub(crate) struct Dialogue {
    child: Child,
    answers: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Dialogue {
    pub(crate) fn start<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fsc"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (answers, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (say, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
        Self { child, answers, lines }
    }

    /// The next line that begins so, without that.
    pub(crate) fn line(&self, beginning: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(30)).expect("a line that begins so");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    pub(crate) fn answer(&mut self, line: &str) {
        writeln!(self.answers, "{line}").unwrap();
    }

    /// What it has printed on standard error at its end, and whether it has succeeded.
    pub(crate) fn end(mut self) -> (bool, String) {
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().success(), errors)
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that holds `config`.
pub(crate) fn written(config: &str) -> PathBuf {
    let path = fresh("toml");
    fs::write(&path, config).unwrap();
    path
}

/// A path at which there is no file.
fn fresh(extension: &str) -> PathBuf {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let name = format!("fsc-{}-{}.{extension}", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

/// A key that `fsc keygen` has made: its file, and the id that it has printed.
pub(crate) fn key() -> (PathBuf, NodeId) {
    let path = fresh("key");
    let made = Command::new(env!("CARGO_BIN_EXE_fsc")).arg("keygen").arg(&path).output().unwrap();
    assert!(made.status.success());
    (path, String::from_utf8(made.stdout).unwrap().trim().parse().unwrap())
}

/// A port that nobody listens on, below those that systems give to whoever asks for any.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 16_000 + (std::process::id() * 61 + NEXT.fetch_add(1, Ordering::Relaxed)) % 16_000;
        if TcpListener::bind(("127.0.0.1", port as u16)).is_ok() {
            return port as u16;
        }
    }
}
