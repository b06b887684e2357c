//! Runs programs: says which, and fails when they do.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The target directory, where everything goes that a task makes.
pub(crate) fn target() -> PathBuf {
    watchpost_guests::root().join("target")
}

/// A Cargo in the workspace that knows nothing of the one that runs this task.
pub(crate) fn cargo() -> Command {
    watchpost_guests::cargo(&watchpost_guests::root())
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("> {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed with {status}");
    }
    Ok(())
}

/// Which versions a program of the registry is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Those that its authors tried.
    Theirs,
    /// The newest that fit, where its own can no longer be had everywhere.
    Newest,
}

/// A program of the registry in its pinned version, installed below the target directory when it is not there.
pub(crate) fn installed(name: &str, version: &str) -> Result<PathBuf> {
    installed_from(name, name, version, Lock::Theirs)
}

/// The same for one that comes in a package of another name.
pub(crate) fn installed_from(package: &str, program: &str, version: &str, lock: Lock) -> Result<PathBuf> {
    let tools = target().join("tools");
    let program = tools.join("bin").join(program);
    let is_installed = Command::new(&program)
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version));
    if !is_installed {
        let mut install = cargo();
        install.args(["install", package, "--version", version, "--debug", "--root"]);
        install.arg(&tools);
        install.env("CARGO_PROFILE_DEV_DEBUG", "false");
        if lock == Lock::Theirs {
            install.arg("--locked");
        }
        run(&mut install)?;
    }
    Ok(program)
}

/// Whether a program can be started at all.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

fn line(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .fold(program.into_owned(), |line, argument| line + " " + &argument)
}
