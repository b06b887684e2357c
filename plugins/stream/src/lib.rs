//! What the commands for WASI have in common: a detector in a stream of lines, with its options, its state, and what is
//! told of it. A command says where its bytes come from and what becomes of the verdicts.

mod options;
mod stdio;
mod stream;

use std::process::ExitCode;

pub use options::Options;
pub use stdio::{PAUSE, read, wait, write};
pub use stream::{Reports, Sink, Stream};

/// Read at once: what a pipe holds.
pub const CHUNK: usize = 64 * 1024;

/// What the process says of itself when it ends, as `watchpost` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
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
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Tells what went wrong, and what the process ends with.
pub fn exit(ended: anyhow::Result<Exit>) -> ExitCode {
    let exit = match ended {
        Ok(exit) => exit,
        Err(error) => {
            stdio::tell(format_args!("error: {error:#}"));
            if error.is::<Usage>() { Exit::Usage } else { Exit::Failed }
        }
    };
    ExitCode::from(exit as u8)
}
