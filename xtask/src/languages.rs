//! Programs in several languages that compute together.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::c::{Kind, compile};
use crate::federation::Server;
use crate::library::Installed;
use crate::process::{Failure, Process, output};
use crate::python::Python;
use crate::r::Package;
use crate::test::BUILD;
use crate::workspace::{self, cargo};

/// How long a program may take until it says something.
const SOON: Duration = Duration::from_mins(2);

/// What three hospitals know, and the sum of it.
const AGES: [[&str; 3]; 3] = [["34", "71", "52"], ["66", "43", "58"], ["29", "80", "61"]];
const SUM: &str = "494";

/// All of it.
pub(crate) fn check() -> Result<String, Failure> {
    let (library, r) = (Installed::staged()?, Package::there()?);
    let python = Python::with("venv", &["federatedsecure-client>=0.6,<0.7"])?;
    println!("one party in Python, one in C, one in R");
    hospitals(&library, &python, &r)?;
    println!("data sources in C; clients in Rust, Python and R");
    patients(&library, &python, &r)?;
    println!("by ctypes");
    let mut by_ctypes = python.command();
    by_ctypes.arg("fsc-bindings/examples/by_ctypes.py").arg(library.lib().join("libfsc.so"));
    learned("ctypes", &output(&mut by_ctypes, SOON)?)?;
    Ok("C, Python and R in one federation; Rust, Python and R on data of C".into())
}

/// A federation of three parties, each in a language of its own: in C and R with embedded nodes, in Python with the reference's client.
fn hospitals(library: &Installed, python: &Python, r: &Package) -> Result<(), Failure> {
    let mut serve = Command::new(workspace::binary("fsc")?);
    let node = Server::start("hospital", serve.args(["serve", "--listen", "127.0.0.1:0"]))?;
    let mut in_c = Command::new(compile(library, "examples/hospital.c", Kind::Shared)?);
    let mut in_c = Talker::start(in_c.arg("{\"listen\": \"127.0.0.1:0\"}").args(AGES[1]))?;
    let mut in_r = Talker::start(r.script("fsc-bindings/examples/hospital.R").args(AGES[2]))?;
    let urls = [node.url.clone(), in_c.address()?, in_r.address()?];
    in_c.tell(&format!("1 {}", urls.join(" ")))?;
    in_r.tell(&format!("2 {}", urls.join(" ")))?;
    let mut in_python = python.command();
    in_python.args(["fsc-bindings/examples/hospital.py", "0"]).args(&urls).arg("--").args(AGES[0]);
    learned("Python", &output(&mut in_python, SOON)?)?;
    learned("C", &in_c.hear()?)?;
    learned("R", &in_r.hear()?)?;
    in_c.end()?;
    in_r.end()?;
    node.stop()
}

/// Three programs in C that serve their data, and a client of each in another language.
fn patients(library: &Installed, python: &Python, r: &Package) -> Result<(), Failure> {
    let source = compile(library, "examples/patients.c", Kind::Static)?;
    let sources = AGES.map(|ages| Talker::start(Command::new(&source).args(ages)));
    let [mut one, mut two, mut three] = sources;
    let urls = [one.as_mut(), two.as_mut(), three.as_mut()]
        .map(|source| source.map_or_else(|failure| Err(Failure::new(failure.to_string())), Talker::address));
    let urls = urls.into_iter().collect::<Result<Vec<_>, _>>()?;
    output(&mut cargo(&["build", "--package", "fsc-bindings", "--example", "ask_patients"]), BUILD)?;
    let in_rust = Command::new(workspace::target().join("debug").join("examples").join("ask_patients"));
    let mut in_python = python.command();
    in_python.arg("fsc-bindings/examples/ask_patients.py");
    let in_r = r.script("fsc-bindings/examples/ask_patients.R");
    let clients = [("Rust", in_rust), ("Python", in_python), ("R", in_r)];
    thread::scope(|scope| {
        let asking: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(place, (language, mut client))| {
                let urls = &urls;
                scope.spawn(move || learned(language, &output(client.arg(place.to_string()).args(urls), SOON)?))
            })
            .collect();
        let gone = |_| Err(Failure::new("a client is lost"));
        asking.into_iter().try_for_each(|asked| asked.join().unwrap_or_else(gone))
    })?;
    for source in [one, two, three] {
        source?.end()?;
    }
    Ok(())
}

fn learned(language: &str, printed: &str) -> Result<(), Failure> {
    println!("{language}: {}", printed.trim());
    if printed.contains(SUM) {
        Ok(())
    } else {
        Err(Failure::new(format!("the party in {language} did not learn the sum")))
    }
}

/// A program that one talks with, line by line.
struct Talker {
    process: Process,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Talker {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut process = Process::talking(command.stdout(Stdio::piped()))?;
        let (input, out) = (process.child().stdin.take(), process.child().stdout.take());
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok);
            for line in lines {
                // Whoever does not listen any more has heard enough.
                let _ = sender.send(line);
            }
        });
        Ok(Self { process, input, lines })
    }

    /// Where its node listens, which it says first.
    fn address(&mut self) -> Result<String, Failure> {
        let line = self.hear()?;
        line.strip_prefix("listening on ").map(String::from).ok_or_else(|| Failure::new(format!("it says {line}")))
    }

    fn hear(&mut self) -> Result<String, Failure> {
        self.lines.recv_timeout(SOON).map_err(|_| Failure::new("a program says nothing"))
    }

    fn tell(&mut self, line: &str) -> Result<(), Failure> {
        let told = self.input.as_mut().map(|input| writeln!(input, "{line}"));
        told.and_then(Result::ok).ok_or_else(|| Failure::new("a program does not listen"))
    }

    /// Says that nothing more comes; the program must end well.
    fn end(mut self) -> Result<(), Failure> {
        drop(self.input.take());
        let status = self.process.wait(SOON)?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("a program ended with {status}"))) }
    }
}
