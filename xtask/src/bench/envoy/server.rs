//! A running Envoy and what it costs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::pinned::{Core, pinned};

const PATIENCE: Duration = Duration::from_secs(60);

/// An Envoy that is stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// What it writes, to both of its outputs.
    pub(crate) log: PathBuf,
    /// Where it takes requests.
    pub(crate) listener: SocketAddr,
    admin: SocketAddr,
    /// From starting the program until it said that it is ready.
    pub(crate) start: Duration,
}

/// How an Envoy is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    /// Where its files go.
    pub(crate) folder: &'a Path,
    /// How they are called.
    pub(crate) name: &'a str,
    pub(crate) workers: u32,
    pub(crate) core: Core,
    /// Whether every call between Envoy and the module is logged.
    pub(crate) trace: bool,
}

impl Server {
    /// Starts an Envoy and waits until it is ready.
    pub(crate) fn start(start: &Start<'_>, config: &Value) -> Result<Self> {
        let at = |extension: &str| start.folder.join(format!("{}.{extension}", start.name));
        let (config_file, address_file, log) = (at("json"), at("admin"), at("log"));
        fs::write(&config_file, config.to_string()).with_context(|| format!("write {}", config_file.display()))?;
        // A file of an earlier start would name a port of the past.
        let _ = fs::remove_file(&address_file);
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut command = pinned(start.program, start.core);
        command
            .arg("--config-path")
            .arg(&config_file)
            .arg("--admin-address-path")
            .arg(&address_file)
            .args(["--concurrency", &start.workers.to_string()])
            .args(["--disable-hot-restart", "--log-level", "warning"]);
        if start.trace {
            command.args(["--component-log-level", "wasm:trace"]);
        }
        command.current_dir(start.folder);
        command.stderr(output.try_clone()?).stdout(output);
        let began = Instant::now();
        let child = command.spawn().context("start envoy")?;
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = Server {
            child,
            log,
            listener: nowhere,
            admin: nowhere,
            start: Duration::ZERO,
        };
        server.wait(&address_file, began)?;
        Ok(server)
    }

    fn wait(&mut self, address_file: &Path, began: Instant) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("envoy ended with {status}: {}", self.log_text()?);
            }
            if began.elapsed() > PATIENCE {
                bail!("envoy is not ready: {}", self.log_text()?);
            }
            let address = fs::read_to_string(address_file).ok().and_then(|text| text.parse().ok());
            if let Some(address) = address {
                self.admin = address;
                if self.admin("/ready").is_ok_and(|answer| answer.contains("LIVE")) {
                    break;
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.start = began.elapsed();
        let listeners = self.admin("/listeners")?;
        let listener = listeners
            .lines()
            .find_map(|line| line.strip_prefix("front::"))
            .with_context(|| format!("no listener in {listeners}"))?;
        self.listener = listener.trim().parse().with_context(|| format!("read {listener}"))?;
        Ok(())
    }

    /// What the administration's page says.
    pub(crate) fn admin(&self, page: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {page} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// The value of a statistic, summed over its labels.
    pub(crate) fn statistic(&self, name: &str) -> Result<Option<u64>> {
        let page = self.admin("/stats?type=All&filter=watchpost")?;
        let values: Vec<u64> = page
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(key, _)| key.trim_start_matches("wasmcustom.").split('.').next() == Some(name))
            .filter_map(|(_, value)| value.trim().parse().ok())
            .collect();
        Ok((!values.is_empty()).then(|| values.iter().sum()))
    }

    /// The time on a core that all of its threads took so far. The scheduler counts it in nanoseconds; `utime` and
    /// `stime` are the same in hundredths of a second.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut nanoseconds = 0;
        for task in fs::read_dir(&tasks).with_context(|| format!("read {tasks}"))? {
            let path = task?.path().join("schedstat");
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let ran: u64 = text
                .split(' ')
                .next()
                .and_then(|field| field.parse().ok())
                .with_context(|| format!("{} is {text}", path.display()))?;
            nanoseconds += ran;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The memory that is resident, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let kilobytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
            .with_context(|| format!("no VmRSS in {path}"))?;
        Ok(kilobytes * 1024)
    }

    /// What it has written so far.
    pub(crate) fn log_text(&self) -> Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM would drain connections first, and nothing of it is needed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The version that a program says it is.
pub(crate) fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output().context("start envoy")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split("version: ").nth(1).unwrap_or(&text);
    Ok(version.split('/').nth(1).unwrap_or(version).trim().to_owned())
}
