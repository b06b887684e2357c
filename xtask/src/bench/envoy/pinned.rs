//! One core for the Envoy that is measured, the others for everything else, so that neither waits for the other.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use crate::process;

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// The first, for what is measured.
    Measured,
    /// All others.
    Others,
    /// Whichever is free.
    Any,
}

/// A command that stays on its cores, where there are two and `taskset` is installed.
pub(crate) fn pinned(program: &Path, core: Core) -> Command {
    let Some(cores) = cores() else {
        return Command::new(program);
    };
    let list = match core {
        Core::Measured => "0".to_owned(),
        Core::Others => format!("1-{}", cores - 1),
        Core::Any => return Command::new(program),
    };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &list]).arg(program);
    command
}

/// How many cores there are to choose from; nothing if there is no choice.
pub(crate) fn cores() -> Option<usize> {
    static CORES: OnceLock<Option<usize>> = OnceLock::new();
    *CORES.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (cores > 1 && process::exists("taskset")).then_some(cores)
    })
}
