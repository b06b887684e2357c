//! The program `watchpost`: parses the command line, runs a subcommand, and turns what came of it into an
//! exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match arguments.run() {
        Ok(exit) => exit.into(),
        Err(error) => cli::exit::explain(&error).into(),
    }
}
