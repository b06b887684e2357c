//! `watchpost completions`: what a shell needs to complete our command line.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::exit::Exit;

/// Prints the completions of the command line for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bash        watchpost completions bash > ~/.local/share/bash-completion/completions/watchpost
  zsh         watchpost completions zsh > \"${fpath[1]}/_watchpost\"
  fish        watchpost completions fish > ~/.config/fish/completions/watchpost.fish
  elvish      watchpost completions elvish >> ~/.config/elvish/rc.elv
  powershell  watchpost completions powershell >> $PROFILE")]
pub(crate) struct Completions {
    /// The shell to print completions for.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        // Into memory first: the generator panics when it cannot write, and a closed pipe is no error.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Arguments::command(), "watchpost", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(Exit::Fine)
    }
}
