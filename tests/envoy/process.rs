//! An Envoy of one's own: started with a configuration, waited for, asked, stopped.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::admin;
use super::load::Client;

/// A running Envoy. It is killed when it is dropped, and shows the end of its log when the test has failed.
#[derive(Debug)]
pub(super) struct Envoy {
    child: Child,
    folder: TempDir,
    admin: Client,
}

/// How long anything is waited for: far longer than it takes on a slow machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Written to (locked alone) by tests that keep the whole machine busy, and read by those in which durations matter.
pub(super) static MACHINE: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

const LAST_LINES: usize = 40;

impl Envoy {
    /// Starts Envoy in a folder that [`folder`] has made, and waits until it serves.
    pub(super) async fn start(folder: TempDir, bootstrap: &Value, workers: u32) -> Envoy {
        let child = command(folder.path(), bootstrap)
            .args(["--concurrency", &workers.to_string()])
            .arg("--admin-address-path")
            .arg(folder.path().join("admin"))
            .args(["--file-flush-interval-msec", "200"])
            // What an update replaces goes soon.
            .args(["--drain-time-s", "2", "--drain-strategy", "immediate"])
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("stderr")).expect("the folder is ours"))
            .spawn()
            .expect("Envoy starts: is WATCHPOST_ENVOY its path?");
        let mut envoy = Envoy {
            child,
            folder,
            admin: Client::new(([127, 0, 0, 1], 0).into()),
        };
        let address = until("Envoy writes the address of its admin interface", async || {
            envoy.check_that_it_runs();
            let text = fs::read_to_string(envoy.folder.path().join("admin")).ok()?;
            text.trim().parse::<SocketAddr>().ok()
        })
        .await;
        envoy.admin = Client::new(address);
        until("Envoy is ready", async || {
            envoy.check_that_it_runs();
            let answer = envoy.admin.get("/ready", None).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        envoy
    }

    /// A client of the listener with this name.
    pub(super) async fn client(&self, listener: &str) -> Client {
        let address = until("the listener has an address", async || {
            let listeners = admin::json(&self.admin, "/listeners?format=json").await;
            let listeners = listeners["listener_statuses"].as_array()?;
            let found = listeners.iter().find(|found| found["name"] == *listener)?;
            let address = &found["local_address"]["socket_address"];
            let port = u16::try_from(address["port_value"].as_u64()?).ok()?;
            Some(SocketAddr::from(([127, 0, 0, 1], port)))
        })
        .await;
        Client::new(address)
    }

    pub(super) fn admin(&self) -> &Client {
        &self.admin
    }

    /// Where its files are.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has logged so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).expect("Envoy writes a log")
    }

    /// The memory that it has in use, in bytes.
    pub(super) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Envoy runs, on Linux");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("the kernel says how much is resident");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>();
        kilobytes.expect("it says so in kilobytes") * 1024
    }

    /// Lets it end in order, so that everything is in its files.
    pub(super) async fn stop(mut self) -> TempDir {
        self.admin
            .post("/quitquitquit")
            .await
            .expect("Envoy runs and takes the request");
        until("Envoy exits", async || self.child.try_wait().expect("it is our child")).await;
        std::mem::replace(&mut self.folder, folder())
    }

    /// Whether it has not crashed.
    pub(super) fn check_that_it_runs(&mut self) {
        let status = self.child.try_wait().expect("it is our child");
        assert!(status.is_none(), "Envoy has exited: {}", status.expect("just seen"));
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may have exited already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the files of Envoy are kept in {}", self.folder.path().display());
            for file in ["stderr", "log"] {
                let text = fs::read_to_string(self.path(file)).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let last = lines.len().saturating_sub(LAST_LINES);
                eprintln!("the end of Envoy's {file}:");
                for line in &lines[last..] {
                    eprintln!("  {}", line.chars().take(500).collect::<String>());
                }
            }
        }
    }
}

/// Lets Envoy look at a configuration. What it says is its standard error and its log.
pub(super) fn validate(bootstrap: &Value) -> (ExitStatus, String) {
    let folder = folder();
    validated(&folder, &mut command(folder.path(), bootstrap))
}

/// The same of a file in YAML, in a folder in which the module is what the file calls it.
pub(super) fn validate_beside_module(yaml: &str) -> (ExitStatus, String) {
    let folder = folder();
    fs::copy(module(), folder.path().join("watchpost-envoy.wasm")).expect("the module is there");
    let file = folder.path().join("envoy.yaml");
    fs::write(&file, yaml).expect("the folder is ours");
    validated(&folder, &mut of_file(folder.path(), &file))
}

fn validated(folder: &TempDir, command: &mut Command) -> (ExitStatus, String) {
    let output = command
        .args(["--mode", "validate"])
        .output()
        .expect("Envoy starts: is WATCHPOST_ENVOY its path?");
    let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout) + &log;
    (output.status, said)
}

/// A folder for the files of one Envoy.
pub(super) fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("watchpost-envoy-")
        .tempdir()
        .expect("a folder for temporary files")
}

/// The program, in the version that the tests are for.
pub(super) fn program() -> PathBuf {
    variable("WATCHPOST_ENVOY", "the program envoy")
}

/// The module that is tested.
pub(super) fn module() -> PathBuf {
    variable("WATCHPOST_ENVOY_MODULE", "watchpost-envoy.wasm")
}

/// Waits for something, and says what did not come.
pub(super) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} and in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Replaces a file at once, as Envoy wants it.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

fn command(folder: &Path, bootstrap: &Value) -> Command {
    let config = folder.join("envoy.json");
    fs::write(&config, format!("{bootstrap:#}")).expect("the folder is ours");
    of_file(folder, &config)
}

fn of_file(folder: &Path, config: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .current_dir(folder)
        .arg("--config-path")
        .arg(config)
        .arg("--log-path")
        .arg(folder.join("log"))
        .args(["--log-level", "warning", "--component-log-level", "wasm:info"])
        .arg("--disable-hot-restart")
        // Times in its log are local ones.
        .env("TZ", "UTC");
    command
}

fn variable(name: &str, what: &str) -> PathBuf {
    let path = env::var_os(name).map(PathBuf::from);
    let path = path.unwrap_or_else(|| {
        panic!(
            "{name} is not set: it is the path of {what}; `cargo xtask test real_envoy` sets it and runs these tests"
        )
    });
    assert!(
        path.is_file(),
        "{name} is {}, and there is no such file",
        path.display()
    );
    path
}
