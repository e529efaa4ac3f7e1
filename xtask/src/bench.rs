//! `cargo xtask bench`: our figures beside the Python reference's and a bare server's, in one run on one machine.

use std::fmt;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::{Value, json};

use crate::c::{Kind, compile};
use crate::debian;
use crate::federation::{Federation, Server};
use crate::library::Installed;
use crate::number;
use crate::process::{Failure, has, output, run as run_to_end, shown};
use crate::python::Python;
use crate::r::Package;
use crate::workspace::{self, cargo};

const BUILD: Duration = Duration::from_mins(40);
const MEASUREMENT: Duration = Duration::from_mins(15);

const REFERENCE: [&str; 3] = ["federatedsecure-client", "federatedsecure-server", "federatedsecure-simon"];
const CONNECTIONS: u32 = 16;
const SECONDS: u32 = 3;
/// Loads of one server, alternating with those of the other so that a slow minute of the machine meets both.
const LOADS: usize = 5;
/// Measurements with and without seals, alternating for the same reason.
const TURNS: usize = 5;
/// First runs of a function, each by other nodes.
const FIRSTS: usize = 5;
/// The large inputs of `functions --bulk`.
const BULK: [(&str, &str); 4] = [
    ("KthElement", "M=3 N=10,000"),
    ("SecureMedian", "M=2 N=1,000,000"),
    ("StatisticsUnivariate", "M=3 N=1,000,000"),
    ("SecureMatrixMultiplication", "M=2 100×100"),
];

/// Measures, prints the table and saves it as `bench.json` among the tasks' products.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let (runs, others) = number(arguments, "--runs", 11)?;
    let is_embedding = others == ["--embedding"];
    if let Some(unknown) = others.first().filter(|_| !is_embedding) {
        return Err(Failure::new(format!("bench takes --runs N and --embedding, not {unknown}")));
    }
    run_to_end(&mut cargo(&["build", "--release", "-p", "fsc-node", "-p", "fsc-benches", "--bins"]), BUILD)?;
    let python = Python::with("venv-bench", &[&REFERENCE[..], &["flask", "numpy"]].concat())?;

    let mut table = Table::new(&python, shown_as(arguments))?;
    if !is_embedding {
        table.functions(&python, runs)?;
        table.requests()?;
        table.chain()?;
        table.million(runs)?;
        table.sealing(runs)?;
        table.bulk(runs)?;
    }
    table.embedding(runs)?;
    println!("\n{table}");
    let file = workspace::scratch()?.join("bench.json");
    fs::write(&file, format!("{:#}\n", table.json())).map_err(|error| Failure::new(format!("bench.json: {error}")))?;
    println!("saved as {}", file.display());
    Ok(ExitCode::SUCCESS)
}

/// What was measured, where and how.
struct Table {
    context: Vec<(&'static str, String)>,
    sections: Vec<Section>,
}

/// Rows that may be compared with one another; ratios are to the first.
struct Section {
    title: String,
    unit: &'static str,
    rows: Vec<(&'static str, f64)>,
}

impl Table {
    fn new(python: &Python, command: String) -> Result<Self, Failure> {
        let packages: Vec<String> = REFERENCE.iter().map(|name| python.version(name)).collect::<Result<_, _>>()?;
        let context = vec![
            ("machine", machine()),
            ("load", said("cut", &["-d", " ", "-f", "1", "/proc/loadavg"]) + " before it began"),
            ("commit", said("git", &["describe", "--always", "--dirty", "--abbrev=12"])),
            ("date", said("date", &["-u", "+%Y-%m-%dT%H:%MZ"])),
            ("command", command),
            ("compiler", said("rustc", &["--version"])),
            ("reference", format!("{}, behind xtask/peers/reference_server.py", packages.join(", "))),
        ];
        Ok(Self { context, sections: Vec::new() })
    }

    /// Each function of `rows.py` over three servers: the reference's, ours by two clients, and none at all.
    fn functions(&mut self, python: &Python, runs: u64) -> Result<(), Failure> {
        let reference = Federation::start("reference", || {
            let mut command = python.command();
            command.arg("xtask/peers/reference_server.py");
            command
        })?;
        let bare = workspace::binary("canned")?;
        let bare = Federation::start("canned", || Command::new(&bare))?;
        let ours = Federation::ours()?;
        let measured = rows(python, [("reference", &reference), ("ours", &ours), ("bare", &bare)], runs)?;
        drop((reference, bare));
        let inputs = inputs(python)?;
        let by_rust = by_our_client(&ours, &["--inputs", &inputs], runs)?;
        let peak = ours.peak_megabytes()?;
        ours.stop()?;

        for (function, row) in measured.as_object().into_iter().flatten() {
            let by_python = |name: &str| median(&row["servers"][name]);
            let rows = vec![
                ("reference, its Python client", by_python("reference")?),
                ("ours, the same Python client", by_python("ours")?),
                ("bare server, the same Python client", by_python("bare")?),
                ("ours, our Rust client", median(&by_rust[function])?),
                ("the same, by nodes that have just started", strangers(&inputs, function)?),
            ];
            let title = format!("{function}, M={} N={}, median of {runs}", row["parties"], row["n"]);
            self.sections.push(Section { title, unit: "ms", rows });
        }
        let rows = vec![("the largest node", peak)];
        self.sections.push(Section { title: "peak resident memory after all of these".into(), unit: "MB", rows });
        Ok(())
    }

    /// `GET /representations` from a node and, byte for byte the same, from a bare server.
    fn requests(&mut self) -> Result<(), Failure> {
        let mut node = Command::new(workspace::binary("fsc")?);
        let node = Server::start("node-load", node.args(["serve", "--listen", "127.0.0.1:0"]))?;
        let bare =
            Server::start("canned-load", Command::new(workspace::binary("canned")?).args(["--like", &node.url]))?;
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..LOADS {
            theirs.push(load(&bare)?);
            ours.push(load(&node)?);
        }
        node.stop()?;
        let title = format!("GET /representations, {CONNECTIONS} connections, median of {LOADS} times {SECONDS} s");
        let rows = vec![("bare server", middle(theirs)), ("ours", middle(ours))];
        self.sections.push(Section { title, unit: "requests/s", rows });
        Ok(())
    }

    /// A chain of four operations, and a bare POST of as many bytes, with both ends on one core.
    fn chain(&mut self) -> Result<(), Failure> {
        let mut command = if has("taskset") { Command::new("taskset") } else { Command::new("env") };
        if has("taskset") {
            command.args(["-c", "0"]);
        }
        let row = measured(command.arg(workspace::binary("chain")?))?;
        let rows =
            vec![("bare POST", 1e6 * figure(&row, "bare_s")?), ("chain of four", 1e6 * figure(&row, "chain_s")?)];
        let title = "create, attribute, call, download in one request, both ends on one core, median of 20,000".into();
        self.sections.push(Section { title, unit: "us", rows });
        Ok(())
    }

    /// A sum of vectors of a million floats, and what it costs each node in memory.
    fn million(&mut self, runs: u64) -> Result<(), Failure> {
        for (form, words) in [("raw arrays", &["--elementwise"][..]), ("JSON", &["--elementwise", "--json"])] {
            let nodes = Federation::ours()?;
            let mut command = Command::new(workspace::binary("secure_sum")?);
            command.args(nodes.urls()).args(["--runs", &runs.to_string(), "--count", "1000000"]).args(words);
            let rows = vec![("ours, our Rust client", median(&measured(&mut command)?)?)];
            let title = format!("SecureSum of vectors, M=3 N=1,000,000, {form}, median of {runs}");
            self.sections.push(Section { title, unit: "ms", rows });
            let rows = vec![("the largest node", nodes.peak_megabytes()?)];
            let title = format!("its peak resident memory, {form}");
            self.sections.push(Section { title, unit: "MB", rows });
            nodes.stop()?;
        }
        Ok(())
    }

    /// The same sums by nodes that seal their mail and by nodes that do not, in turns.
    fn sealing(&mut self, runs: u64) -> Result<(), Failure> {
        let nodes = [Federation::ours()?, Federation::sealed()?];
        for (count, title) in [(1_000_000, "N=1,000,000, raw arrays"), (100, "N=100")] {
            let mut figures = [Vec::new(), Vec::new()];
            for _ in 0..TURNS {
                for (nodes, figures) in nodes.iter().zip(&mut figures) {
                    let mut command = Command::new(workspace::binary("secure_sum")?);
                    command.args(nodes.urls()).args(["--runs", &runs.to_string(), "--elementwise"]);
                    figures.push(median(&measured(command.args(["--count", &count.to_string()]))?)?);
                }
            }
            let [plain, sealed] = figures.map(middle);
            let rows = vec![("nodes without keys", plain), ("nodes with keys: sealed", sealed)];
            let title = format!("SecureSum of vectors, M=3 {title}, median of {TURNS} medians of {runs}, in turns");
            self.sections.push(Section { title, unit: "ms", rows });
        }
        nodes.into_iter().try_for_each(Federation::stop)
    }

    /// Large columns and matrices, each by nodes of its own, and what that costs them in memory.
    fn bulk(&mut self, runs: u64) -> Result<(), Failure> {
        for (function, size) in BULK {
            let nodes = Federation::ours()?;
            let figures = by_our_client(&nodes, &["--bulk", "--only", function], runs)?;
            let rows = vec![("ours, our Rust client", median(&figures[function])?)];
            self.sections.push(Section { title: format!("{function}, {size}, median of {runs}"), unit: "ms", rows });
            let rows = vec![("the largest node", nodes.peak_megabytes()?)];
            let title = format!("its peak resident memory, {function}, {size}");
            self.sections.push(Section { title, unit: "MB", rows });
            nodes.stop()?;
        }
        Ok(())
    }

    /// What a call and a million doubles cost from Rust, C and R, and by what the reference's client for R does.
    fn embedding(&mut self, runs: u64) -> Result<(), Failure> {
        let package = Package::there()?;
        debian::install(&["r-cran-httr"])?;
        let in_rust = measured(Command::new(workspace::binary("calls")?).args(["--runs", &runs.to_string()]))?;
        let in_c = compile(&Installed::staged()?, "benches/calls.c", Kind::Shared)?;
        let in_c = measured(Command::new(in_c).arg(runs.to_string()))?;
        let in_r = measured(package.script("fsc-bindings/r/bench/upload.R").arg(runs.to_string()).arg("--json"))?;
        let micros = |row: &Value, name| figure(row, name).map(|seconds| 1e6 * seconds);
        let rows = vec![("Rust", micros(&in_rust, "call_s")?), ("C", micros(&in_c, "call_s")?)];
        let title = format!("a call within the process, median of {runs} times 1,000");
        self.sections.push(Section { title, unit: "us", rows });
        for (title, name) in [("within the process", "upload_s"), ("over HTTP", "upload_http_s")] {
            let mut rows = vec![
                ("Rust", 1e3 * figure(&in_rust, name)?),
                ("C", 1e3 * figure(&in_c, name)?),
                ("R, fsc", 1e3 * figure(&in_r, name)?),
            ];
            if name == "upload_http_s" {
                rows.insert(0, ("R, httr, as the reference's client", 1e3 * figure(&in_r, "httr_s")?));
            }
            let title = format!("1,000,000 doubles to a node {title}, median of {runs}");
            self.sections.push(Section { title, unit: "ms", rows });
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let context: serde_json::Map<_, _> =
            self.context.iter().map(|(key, text)| ((*key).into(), json!(text))).collect();
        let sections: Vec<Value> = self.sections.iter().map(Section::json).collect();
        json!({ "context": context, "sections": sections })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, text) in &self.context {
            writeln!(f, "{key:10} {text}")?;
        }
        self.sections.iter().try_for_each(|section| write!(f, "\n{section}"))
    }
}

impl Section {
    /// A row's figure over the first row's.
    fn ratio(&self, figure: f64) -> f64 {
        figure / self.rows.first().map_or(f64::NAN, |(_, first)| *first)
    }

    fn json(&self) -> Value {
        let row =
            |(name, figure): &(&str, f64)| json!({ "name": name, "figure": figure, "ratio": self.ratio(*figure) });
        json!({ "title": self.title, "unit": self.unit, "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let decimals = match self.unit {
            "ms" | "us" => 2,
            _ => 0,
        };
        for (name, figure) in &self.rows {
            let ratio = self.ratio(*figure);
            let times = if ratio < 1.0 { format!("1/{:.2}", ratio.recip()) } else { format!("{ratio:.2}") };
            writeln!(f, "  {name:38} {figure:12.decimals$} {:10}  × {times}", self.unit)?;
        }
        Ok(())
    }
}

/// The functions of `rows.py` over these servers, in turns.
fn rows(python: &Python, servers: [(&str, &Federation); 3], runs: u64) -> Result<Value, Failure> {
    let named = servers.map(|(name, servers)| format!("{name}={}", servers.urls().join(",")));
    let mut command = python.command();
    measured(command.arg("xtask/peers/rows.py").args(named).args(["--runs", &runs.to_string()]))
}

/// A file with what each party gives in each of these functions.
fn inputs(python: &Python) -> Result<String, Failure> {
    let inputs = output(python.command().args(["xtask/peers/rows.py", "--inputs"]), MEASUREMENT)?;
    let file = workspace::scratch()?.join("inputs.json");
    fs::write(&file, inputs).map_err(|error| Failure::new(format!("inputs.json: {error}")))?;
    Ok(file.display().to_string())
}

/// Functions by our own client.
fn by_our_client(nodes: &Federation, which: &[&str], runs: u64) -> Result<Value, Failure> {
    let mut command = Command::new(workspace::binary("functions")?);
    measured(command.args(nodes.urls()).args(which).args(["--runs", &runs.to_string()]))
}

/// What the first run of a function takes, in milliseconds, by nodes that have never met.
fn strangers(inputs: &str, function: &str) -> Result<f64, Failure> {
    let first = || -> Result<f64, Failure> {
        let nodes = Federation::ours()?;
        let figures = by_our_client(&nodes, &["--inputs", inputs, "--only", function], 1)?;
        nodes.stop()?;
        figure(&figures[function], "first_s")
    };
    let firsts = (0..FIRSTS).map(|_| first()).collect::<Result<_, _>>()?;
    Ok(1e3 * middle(firsts))
}

/// Requests a second that a server answers.
fn load(server: &Server) -> Result<f64, Failure> {
    let mut command = Command::new(workspace::binary("load")?);
    command.arg(format!("{}/representations", server.url));
    command.args(["--connections", &CONNECTIONS.to_string(), "--seconds", &SECONDS.to_string()]);
    figure(&measured(&mut command)?, "requests_per_s")
}

/// The JSON that a measurement prints.
fn measured(command: &mut Command) -> Result<Value, Failure> {
    println!("measuring: {}", shown(command));
    let printed = output(command, MEASUREMENT)?;
    serde_json::from_str(&printed).map_err(|error| Failure::new(format!("{}: {error}", shown(command))))
}

fn median(row: &Value) -> Result<f64, Failure> {
    figure(row, "median_s").map(|seconds| 1e3 * seconds)
}

fn figure(row: &Value, name: &str) -> Result<f64, Failure> {
    row[name].as_f64().ok_or_else(|| Failure::new(format!("a measurement states no {name}: {row}")))
}

/// The median of an odd number of figures.
fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", model.trim_start_matches([' ', '\t', ':']))
}

/// The command, as one would type it.
fn shown_as(arguments: &[String]) -> String {
    format!("cargo xtask bench {}", arguments.join(" ")).trim_end().to_owned()
}

/// What a small program says, or that it does not.
fn said(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).args(arguments);
    output(&mut command, Duration::from_secs(30)).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section { title: "sums".into(), unit: "ms", rows: vec![("reference", 200.0), ("ours", 2.0), ("worse", 300.0)] }
    }

    #[test]
    fn ratios_are_to_the_first_row() {
        let printed = section().to_string();
        assert!(printed.contains("× 1/100.00") && printed.contains("× 1.50"), "{printed}");
        assert_eq!(section().json()["rows"][1]["ratio"], json!(0.01));
    }

    #[test]
    fn a_measurement_without_its_figure_is_a_failure() {
        assert!(figure(&json!({ "median_s": null }), "median_s").is_err());
        assert!(measured(Command::new("echo").arg("not json")).is_err());
        assert_eq!(middle(vec![3.0, 1.0, 2.0]).total_cmp(&2.0), std::cmp::Ordering::Equal);
    }
}
