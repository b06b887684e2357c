//! The doors: programs that a stream of lines passes through.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// What a door is made of.
pub(crate) struct Tools {
    pub(crate) watchpost: PathBuf,
    pub(crate) wasmtime: PathBuf,
    /// The WASI command.
    pub(crate) module: PathBuf,
    /// The same as `wasmtime compile` leaves it.
    pub(crate) compiled: PathBuf,
    /// The transform for Vector, likewise.
    pub(crate) vector: PathBuf,
    /// The filter of Fluent Bit.
    pub(crate) fluent_bit: PathBuf,
    /// Where `watchpost` keeps its compiled engine.
    pub(crate) cache: PathBuf,
}

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The alarms: almost nothing.
    Alarms,
    /// Every line, with its verdict.
    Annotate,
}

impl Mode {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Mode::Alarms => &["--output", "ndjson", "--quiet"],
            Mode::Annotate => &["--annotate", "--quiet"],
        }
    }
}

/// How a line comes to a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// As it is.
    None,
    /// As an event of Vector's.
    Vector,
    /// As a record of Fluent Bit's.
    FluentBit,
}

impl Wrapping {
    pub(crate) const ALL: [Wrapping; 3] = [Wrapping::None, Wrapping::Vector, Wrapping::FluentBit];

    /// A line of that format, without its end, as it comes.
    pub(crate) fn wrap(self, line: &str, format: &str) -> String {
        let record = |field: &str| match format {
            "ndjson" => line.to_owned(),
            _ => serde_json::json!({ field: line }).to_string(),
        };
        match self {
            Wrapping::None => line.to_owned(),
            Wrapping::Vector => format!("{{\"log\":{}}}", record("message")),
            Wrapping::FluentBit => record("log"),
        }
    }
}

/// What is measured of a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measured {
    /// Everything.
    All,
    /// It has no mode in which only alarms come out.
    Annotated,
    /// Its start, which takes so long that what comes behind it cannot be told.
    Start,
}

/// A way to the detector. Another one is one entry more in [`DOORS`].
pub(crate) struct Door {
    pub(crate) name: &'static str,
    pub(crate) wrapping: Wrapping,
    pub(crate) measured: Measured,
    open: fn(&Tools, &str, Mode) -> Result<Opened>,
}

/// A door that lines pass through now.
pub(crate) struct Opened {
    pub(crate) child: Child,
    /// Where lines go in; what is dropped is over.
    pub(crate) to: Box<dyn Write + Send>,
    /// Where they come out.
    pub(crate) from: Box<dyn BufRead + Send>,
}

/// The name of the door that the others are compared with.
pub(crate) const NATIVE: &str = "watchpost score";

/// In the order in which they take turns.
pub(crate) const DOORS: [Door; 6] = [
    Door {
        name: "cat",
        wrapping: Wrapping::None,
        measured: Measured::All,
        open: |_, _, _| pipes(&mut Command::new("cat")),
    },
    Door {
        name: NATIVE,
        wrapping: Wrapping::None,
        measured: Measured::All,
        open: |tools, format, mode| {
            let mut command = Command::new(&tools.watchpost);
            command.env("WATCHPOST_CACHE_DIR", &tools.cache);
            pipes(score(&mut command, format, mode))
        },
    },
    Door {
        name: "wasmtime run, precompiled",
        wrapping: Wrapping::None,
        measured: Measured::All,
        open: |tools, format, mode| {
            let mut command = Command::new(&tools.wasmtime);
            command.args(["run", "--allow-precompiled"]).arg(&tools.compiled);
            pipes(score(&mut command, format, mode))
        },
    },
    Door {
        name: "wasmtime run, compiled at the start",
        wrapping: Wrapping::None,
        measured: Measured::Start,
        open: |tools, format, mode| {
            let mut command = Command::new(&tools.wasmtime);
            // Wasmtime keeps what it has compiled in the user's folder, where there is one.
            command.args(["run", "-C", "cache=n"]).arg(&tools.module);
            pipes(score(&mut command, format, mode))
        },
    },
    Door {
        name: "transform for Vector, precompiled",
        wrapping: Wrapping::Vector,
        measured: Measured::All,
        open: |tools, _, mode| {
            let mut command = Command::new(&tools.wasmtime);
            command.args(["run", "--allow-precompiled"]).arg(&tools.vector);
            command.arg("--quiet");
            if mode == Mode::Alarms {
                command.args(["--emit", "log"]);
            }
            pipes(&mut command)
        },
    },
    Door {
        name: "filter of Fluent Bit, watchpost run",
        wrapping: Wrapping::FluentBit,
        measured: Measured::Annotated,
        open: |tools, _, _| {
            let mut command = Command::new(&tools.watchpost);
            command.env("WATCHPOST_CACHE_DIR", &tools.cache);
            pipes(command.arg("run").arg(&tools.fluent_bit))
        },
    },
];

impl Door {
    pub(crate) fn open(&self, tools: &Tools, format: &str, mode: Mode) -> Result<Opened> {
        (self.open)(tools, format, mode).with_context(|| format!("open the door {}", self.name))
    }
}

fn score<'a>(command: &'a mut Command, format: &str, mode: Mode) -> &'a mut Command {
    command.args(["score", "--input", format]).args(mode.arguments())
}

/// A program between two pipes.
fn pipes(command: &mut Command) -> Result<Opened> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let to = child.stdin.take().context("its standard input is a pipe")?;
    let from = child.stdout.take().context("its standard output is a pipe")?;
    Ok(Opened {
        child,
        to: Box::new(to),
        from: Box::new(BufReader::with_capacity(64 * 1024, from)),
    })
}
