//! The detector as a command for WASI: for the wasmtime CLI, and for every agent that pipes lines through a program.
//!
//! It has the options of `watchpost score` that make sense in a sandbox, and writes the same bytes. What it may reach is
//! what its runtime gives it: standard input and output, a clock, and the folders of `--dir`.

mod arguments;
mod run;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

fn main() -> ExitCode {
    watchpost_stream::exit(Arguments::parse().run())
}
