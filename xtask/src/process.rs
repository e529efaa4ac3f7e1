//! Child processes that end: each has a deadline, and none outlives the task, whichever way that ends.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to stop after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Why a step failed, for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure with that message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A running process with all that it started; dropping it stops them.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts a command, in a process group of its own and without standard input.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        Self::spawn(command.stdin(Stdio::null()))
    }

    /// Starts a command that is told something by its standard input.
    pub(crate) fn talking(command: &mut Command) -> Result<Self, Failure> {
        Self::spawn(command.stdin(Stdio::piped()))
    }

    fn spawn(command: &mut Command) -> Result<Self, Failure> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::new(format!("{name} does not start: {error}")))?;
        reaper().tell('+', child.id());
        Ok(Self { name, child })
    }

    /// The child, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end, at most until the deadline.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                Ok(None) => return Err(Failure::new(format!("{} took longer than {limit:?}", self.name))),
                Err(error) => return Err(Failure::new(format!("{} is lost: {error}", self.name))),
            }
        }
    }

    /// Asks the process to stop (SIGTERM) and says how it ended; what is left of it after the grace time is killed.
    pub(crate) fn stop(mut self) -> Result<ExitStatus, Failure> {
        signal("TERM", self.child.id());
        self.wait(GRACE)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = self.child.id();
        if matches!(self.child.try_wait(), Ok(None)) {
            signal("TERM", group);
            let _ = self.wait(GRACE);
        }
        // Also where the leader ended well: a test binary or compiler that it left behind must not stay.
        signal("KILL", group);
        let _ = self.wait(GRACE);
        reaper().tell('-', group);
    }
}

/// Runs a command to its end; anything but success is a failure.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<(), Failure> {
    let status = Process::start(command)?.wait(limit)?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{} ended with {status}", shown(command)))) }
}

/// What a command prints; anything but success is a failure that quotes its error stream.
pub(crate) fn output(command: &mut Command, limit: Duration) -> Result<String, Failure> {
    let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (out, err) = (process.child().stdout.take(), process.child().stderr.take());
    let reading = (thread::spawn(move || drain(out)), thread::spawn(move || drain(err)));
    let status = process.wait(limit);
    // Stops whatever still holds the pipes open, so that the readers come to an end.
    drop(process);
    let (out, err) = (reading.0.join().unwrap_or_default(), reading.1.join().unwrap_or_default());
    if status?.success() { Ok(out) } else { Err(Failure::new(format!("{}: {}", shown(command), err.trim()))) }
}

/// Whether a program can be found.
pub(crate) fn has(program: impl AsRef<OsStr>) -> bool {
    output(Command::new(program).arg("--version"), Duration::from_secs(30)).is_ok()
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}

fn drain(pipe: Option<impl std::io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before a broken pipe is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a signal to a process group. `std` knows no signals but KILL, and none for groups.
fn signal(name: &str, group: u32) {
    let _ = Command::new("sh").args(["-c", r#"kill -"$1" -"$2" 2>/dev/null"#, "sh", name, &group.to_string()]).status();
}

/// Stops our process groups when we cannot: after Ctrl-C, SIGTERM or SIGKILL no destructor runs, but our pipes close.
struct Reaper(Mutex<Option<ChildStdin>>);

impl Reaper {
    const SCRIPT: &str = r#"
        while read -r sign group; do
            case $sign in
                +) groups="$groups $group" ;;
                -) kept=; for g in $groups; do [ "$g" = "$group" ] || kept="$kept $g"; done; groups=$kept ;;
            esac
        done
        for name in TERM KILL; do
            for g in $groups; do kill -$name -"$g" 2>/dev/null; done
            [ -z "$groups" ] || sleep 2
        done"#;

    fn start() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", Self::SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let pipe = command.process_group(0).spawn().ok().and_then(|mut child| child.stdin.take());
        Self(Mutex::new(pipe))
    }

    fn tell(&self, sign: char, group: u32) {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = pipe.as_mut() {
            let _ = writeln!(pipe, "{sign} {group}");
        }
    }
}

fn reaper() -> &'static Reaper {
    static REAPER: OnceLock<Reaper> = OnceLock::new();
    REAPER.get_or_init(Reaper::start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn alive(pid: &str) -> bool {
        // A zombie still has its id; its state is the third word of the line.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    }

    #[test]
    fn output_is_what_the_command_prints() {
        assert_eq!(output(Command::new("echo").arg("so"), SOON).unwrap(), "so\n");
        let failure = output(Command::new("sh").args(["-c", "echo why >&2; exit 3"]), SOON).unwrap_err();
        assert!(failure.to_string().ends_with("why"), "{failure}");
    }

    #[test]
    fn a_command_past_its_deadline_ends() {
        let start = Instant::now();
        assert!(run(Command::new("sleep").arg("60"), Duration::from_millis(50)).is_err());
        assert!(start.elapsed() < GRACE, "sleep was stopped, not waited for");
    }

    #[test]
    fn what_a_process_left_behind_ends_with_it() {
        let grandchild = output(Command::new("sh").args(["-c", "sleep 60 & echo $!"]), SOON).unwrap();
        let deadline = Instant::now() + SOON;
        while alive(grandchild.trim()) {
            assert!(Instant::now() < deadline, "{grandchild} is still there");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_reaper_stops_what_was_told_and_not_taken_back() {
        let spawn = || Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let (mut doomed, mut spared) = (spawn(), spawn());
        let reaper = Reaper::start();
        for child in [&doomed, &spared] {
            reaper.tell('+', child.id());
        }
        reaper.tell('-', spared.id());
        drop(reaper);
        assert!(!doomed.wait().unwrap().success());
        assert!(matches!(spared.try_wait(), Ok(None)));
        spared.kill().unwrap();
        spared.wait().unwrap();
    }
}
