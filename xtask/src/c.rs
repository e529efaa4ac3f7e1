//! The C library from C and C++: examples and tests, linked both ways, and under the tools that look for mistakes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::debian;
use crate::library::Installed;
use crate::process::{Failure, output};
use crate::workspace;

/// What a test may take, also under valgrind.
const TEST: Duration = Duration::from_mins(10);

/// Programs that end well if what they claim holds.
const TESTS: [&str; 6] = [
    "tests/c/values.c",
    "tests/c/misuse.c",
    "tests/c/streams.c",
    "tests/c/catalogue.c",
    "examples/three_nodes.c",
    "examples/line.c",
];

/// How a program is compiled and linked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// C99 with the shared library, by pkg-config.
    Shared,
    /// C99 with the static library, of which the linker may drop what it likes.
    Static,
    /// C++11 with the shared library.
    Cpp,
    /// As `Static`, with the compiler's sanitizers of addresses and of undefined behaviour, and with that of leaks.
    Sanitized,
}

/// Compiles and runs everything, and says how large the library is.
pub(crate) fn check() -> Result<String, Failure> {
    if !debian::provides("pkg-config", "--version", "pkg-config") {
        return Err(Failure::new("pkg-config is missing (apt-get install pkg-config)"));
    }
    let library = Installed::staged()?;
    for kind in [Kind::Shared, Kind::Static, Kind::Cpp, Kind::Sanitized] {
        for test in TESTS.into_iter().filter(|test| kind.takes(test)) {
            println!("{kind:?} {test}");
            run(&library, test, kind)?;
        }
    }
    print!("{}", run(&library, "tests/c/cycles.c", Kind::Shared)?);
    let note = under_valgrind(&library)?;
    let client = Installed::client()?;
    run(&client, "tests/c/client.c", Kind::Static)?;
    Ok(format!("{}; a client only: {}{note}", library.sizes()?, client.sizes()?))
}

impl Kind {
    /// Tests are in C; examples, and what only looks what is there, in what both languages have.
    fn takes(self, test: &str) -> bool {
        self != Self::Cpp || test.starts_with("examples/") || test.ends_with("catalogue.c")
    }

    fn compiler(self) -> Command {
        let mut command = Command::new(if self == Self::Cpp { "c++" } else { "cc" });
        command.current_dir(workspace::root());
        command.args(if self == Self::Cpp { &["-std=c++11", "-x", "c++"][..] } else { &["-std=c99"] });
        command.args(["-g", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
        if self == Self::Sanitized {
            command.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
        }
        command
    }
}

/// A program of a source in fsc-bindings/.
pub(crate) fn compile(library: &Installed, source: &str, kind: Kind) -> Result<PathBuf, Failure> {
    let name = source.rsplit('/').next().unwrap_or(source);
    let program = workspace::scratch()?.join(format!("c-{name}-{kind:?}"));
    let config = |what: &str| {
        let mut command = Command::new("pkg-config");
        output(command.env("PKG_CONFIG_PATH", library.pkgconfig()).args([what, "fsc"]), TEST)
    };
    let mut compiler = kind.compiler();
    compiler.args(config("--cflags")?.split_whitespace()).arg(format!("fsc-bindings/{source}"));
    if kind == Kind::Cpp {
        compiler.args(["-x", "none"]);
    }
    match kind {
        Kind::Shared | Kind::Cpp => {
            compiler.args(config("--libs")?.split_whitespace()).arg(format!("-Wl,-rpath,{}", library.lib().display()));
        }
        Kind::Static | Kind::Sanitized => {
            compiler.arg(library.archive()).args(["-Wl,--gc-sections", "-lpthread", "-ldl", "-lm", "-lgcc_s"]);
        }
    }
    output(compiler.arg("-lpthread").arg("-o").arg(&program), TEST)?;
    Ok(program)
}

fn run(library: &Installed, source: &str, kind: Kind) -> Result<String, Failure> {
    output(&mut Command::new(compile(library, source, kind)?), TEST)
}

/// Nothing is read that is not there, and nothing is left behind. Says if there is no valgrind.
fn under_valgrind(library: &Installed) -> Result<&'static str, Failure> {
    if !debian::provides("valgrind", "--version", "valgrind") {
        return Ok("; valgrind is missing (apt-get install valgrind)");
    }
    for test in TESTS {
        println!("valgrind {test}");
        let mut command = Command::new("valgrind");
        command.args([
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,possible",
        ]);
        output(command.arg(compile(library, test, Kind::Shared)?), TEST)?;
    }
    Ok("")
}
