//! Load from wrk, which needs little of the machine itself.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::pinned::{Core, pinned};
use crate::{debian, process};

const CONNECTIONS: u32 = 16;

/// How often it is tried.
const TRIES: u32 = 5;

/// How long each of the connections waits between two requests when the load is moderate, in milliseconds.
const PAUSE_MILLISECONDS: (u32, u32) = (4, 12);

/// A wrk with its script.
#[derive(Debug)]
pub(crate) struct Load {
    program: PathBuf,
    /// Where its libraries are, if they are not the system's.
    libraries: Option<PathBuf>,
    folder: PathBuf,
}

/// How fast the connections send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Each sends as soon as it has its answer: how much can be done.
    Closed,
    /// Each waits some milliseconds: how long it takes while there is capacity to spare.
    Moderate,
}

/// What wrk saw. Times are microseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) microseconds: u64,
    pub(crate) p99: u64,
    pub(crate) errors: u64,
}

impl Load {
    /// The wrk of this machine, or Debian's, unpacked below the target directory.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let script = include_str!("load.lua");
        fs::write(folder.join(Pace::Closed.script()), script)?;
        let (least, most) = PAUSE_MILLISECONDS;
        let delay = format!("\nfunction delay()\n  return math.random({least}, {most})\nend\n");
        fs::write(folder.join(Pace::Moderate.script()), script.to_owned() + &delay)?;
        let (program, libraries) = find()?;
        Ok(Load {
            program,
            libraries,
            folder: folder.to_path_buf(),
        })
    }

    /// Sends for some seconds. On a machine that is busy with other things it may come to nothing; then it is tried
    /// again, with what `before` looks at anew.
    pub(crate) fn send_after<T>(
        &self,
        before: impl Fn() -> Result<T>,
        to: SocketAddr,
        seconds: u32,
        pace: Pace,
    ) -> Result<(T, Seen)> {
        let mut tries = 0;
        loop {
            let looked = before()?;
            let seen = self.once(to, seconds, pace)?;
            tries += 1;
            if seen.requests > 0 && seen.errors == 0 {
                return Ok((looked, seen));
            }
            if tries == TRIES {
                bail!("wrk at {to} saw {} requests and {} errors", seen.requests, seen.errors);
            }
        }
    }

    /// Sends for some seconds.
    pub(crate) fn send(&self, to: SocketAddr, seconds: u32, pace: Pace) -> Result<Seen> {
        let ((), seen) = self.send_after(|| Ok(()), to, seconds, pace)?;
        Ok(seen)
    }

    fn once(&self, to: SocketAddr, seconds: u32, pace: Pace) -> Result<Seen> {
        let mut command = pinned(&self.program, Core::Others);
        command
            .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
            .args(["--duration", &format!("{seconds}s"), "--timeout", "20s", "--script"])
            .arg(self.folder.join(pace.script()))
            .arg(format!("http://{to}"));
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let output = command.output().context("start wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let summary = text.lines().find_map(|line| line.strip_prefix("summary "));
        let Some(summary) = summary.filter(|_| output.status.success()) else {
            bail!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        };
        serde_json::from_str(summary).context("read the summary of wrk")
    }
}

impl Pace {
    fn script(self) -> &'static str {
        match self {
            Pace::Closed => "closed.lua",
            Pace::Moderate => "moderate.lua",
        }
    }
}

fn find() -> Result<(PathBuf, Option<PathBuf>)> {
    // `wrk --version` exits with 1, so being there is all that can be asked for.
    let installed = env::var_os("PATH")
        .iter()
        .flat_map(env::split_paths)
        .map(|folder| folder.join("wrk"))
        .find(|program| program.is_file());
    if let Some(program) = installed {
        return Ok((program, None));
    }
    let folder = process::target().join("tools").join("wrk");
    let program = folder.join("usr/bin/wrk");
    debian::unpack("wrk", &folder).context(
        "wrk is neither installed nor to be had with `apt-get download`; `apt-get update` may help, or install it",
    )?;
    let machine = env::consts::ARCH;
    Ok((program, Some(folder.join(format!("usr/lib/{machine}-linux-gnu")))))
}
