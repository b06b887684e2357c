//! The detector as a command for WASI: for the wasmtime CLI, and for every agent that pipes lines through a program.
//!
//! It has the options of `watchpost score` that make sense in a sandbox, and writes the same bytes. What it may reach is
//! what its runtime gives it: standard input and output, a clock, and the folders of `--dir`.

mod arguments;
mod run;
mod stdio;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

/// What the process says of itself when it ends, as `watchpost` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was read.
    Fine = 0,
    /// Something failed, or none of the rows could be read.
    Failed = 1,
    /// The command line or a configuration is wrong.
    Usage = 2,
    /// Anomalies were found, and `--exit-code` asks to say so.
    Found = 3,
}

/// The user asked for something that cannot be done as asked.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn main() -> ExitCode {
    let exit = match Arguments::parse().run() {
        Ok(exit) => exit,
        Err(error) => {
            stdio::tell(format_args!("error: {error:#}"));
            if error.is::<Usage>() { Exit::Usage } else { Exit::Failed }
        }
    };
    ExitCode::from(exit as u8)
}
