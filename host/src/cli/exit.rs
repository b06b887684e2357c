//! Exit codes, and how an error becomes one.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use watchpost::engine::EngineError;
use watchpost::guest::ModuleError;

/// What the process says of itself when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Fine,
    Failed,
    Usage,
    Found,
    Limit,
    /// As shells report a program that SIGINT ended.
    Interrupted,
    /// What a program said of itself that was run.
    Program(u8),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Found => 3,
            Exit::Limit => 6,
            Exit::Interrupted => 130,
            Exit::Program(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// The user asked for something that cannot be done as asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Prints the error, unless nobody is left to read, and chooses the exit code.
pub(crate) fn explain(error: &anyhow::Error) -> Exit {
    if is_closed_pipe(error) {
        return Exit::Fine;
    }
    let style = anstyle::AnsiColor::Red.on_default().bold();
    // Nothing is left to do when standard error itself cannot be written.
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {error:#}");
    code(error)
}

/// Whether the reader of standard output has gone, as `head` does: it has all it wanted.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn code(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<Usage>() || cause.is::<super::document::Invalid>() {
            return Exit::Usage;
        }
        match cause.downcast_ref::<EngineError>() {
            Some(EngineError::Limit { .. }) => return Exit::Limit,
            Some(EngineError::Config(_)) => return Exit::Usage,
            _ => {}
        }
        if let Some(ModuleError::Fuel | ModuleError::Memory { .. }) = cause.downcast_ref() {
            return Exit::Limit;
        }
    }
    Exit::Failed
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};
    use watchpost::engine::Limit;

    use super::*;

    #[test]
    fn errors_keep_their_exit_code_below_any_context() {
        let usage = Err::<(), _>(Usage("no".to_owned()))
            .context("while starting")
            .unwrap_err();
        assert_eq!(code(&usage), Exit::Usage);
        assert_eq!(code(&anyhow!("no")), Exit::Failed);
        let limit = EngineError::Limit {
            limit: Limit::Fuel,
            call: "push",
        };
        assert_eq!(code(&anyhow::Error::from(limit).context("app.log")), Exit::Limit);
        let pipe = anyhow::Error::from(std::io::Error::from(ErrorKind::BrokenPipe)).context("writing");
        assert!(is_closed_pipe(&pipe));
    }
}
