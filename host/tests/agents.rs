//! Real agents feed the WASI command with the configurations of its examples: rsyslog, which has every line confirmed, and
//! syslog-ng, which writes into a pipe. What the agent or the command loses when one of them goes is counted.
//! `cargo xtask test` unpacks the agents and says where they are.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod support;

use std::collections::HashMap;
use std::env;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::variable;
use tempfile::TempDir;

/// So many lines go through an agent.
const LINES: usize = 20_000;

/// How long a condition is waited for: a slow machine takes seconds, and a failure takes for ever.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    Rsyslog,
    SyslogNg,
}

/// An agent with its configuration, the log that it reads and what the command behind it writes.
struct Site {
    agent: Agent,
    folder: TempDir,
    lines: Vec<String>,
}

/// An agent that runs. It does not outlive a test that fails, and neither does the command.
struct Running<'a> {
    site: &'a Site,
    process: Child,
}

/// One start of the command to its end.
struct Run {
    process: u32,
    /// The state that it found, if there was one.
    state: Option<PathBuf>,
    /// Where its lines begin in what was written.
    begin: usize,
}

/// What became of the lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    lost: usize,
    /// Lines that came once more than they should.
    doubles: usize,
    /// What came that is no line of the log.
    broken: Vec<String>,
}

/// Five and a half hours of a shop's log in which memory runs out four times.
fn log() -> Vec<String> {
    (0..LINES)
        .map(|n| {
            let time = format!("2026-11-20 {:02}:{:02}:{:02}", 8 + n / 3600, n / 60 % 60, n % 60);
            if n % 5003 == 4000 {
                format!("{time} FATAL out of memory: killed process {n}")
            } else {
                format!("{time} INFO  GET /cart/{n} took {} ms", 10 + n * 13 % 17)
            }
        })
        .collect()
}

/// The module as `wasmtime compile` leaves it, for all tests.
fn compiled() -> &'static Path {
    static COMPILED: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, file) = COMPILED.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("watchpost-cli.cwasm");
        let status = Command::new(variable("WATCHPOST_WASMTIME"))
            .args(["compile", "-o"])
            .args([&file, &variable("WATCHPOST_CLI_MODULE")])
            .status()
            .unwrap();
        assert!(status.success());
        (folder, file)
    });
    file
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

impl Agent {
    /// Where it is unpacked.
    fn unpacked(self) -> PathBuf {
        variable("WATCHPOST_AGENTS").join(match self {
            Agent::Rsyslog => "rsyslog",
            Agent::SyslogNg => "syslog-ng",
        })
    }

    fn example(self) -> &'static str {
        match self {
            Agent::Rsyslog => "rsyslog.conf",
            Agent::SyslogNg => "syslog-ng.conf",
        }
    }

    /// The folder of its modules.
    fn modules(self) -> PathBuf {
        let libraries = self.unpacked().join("usr/lib");
        match self {
            Agent::Rsyslog => libraries
                .join(format!("{}-linux-gnu", env::consts::ARCH))
                .join("rsyslog"),
            Agent::SyslogNg => fs::read_dir(libraries.join("syslog-ng"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.join("libafprog.so").is_file())
                .expect("syslog-ng has its module for programs"),
        }
    }

    /// What stands around the example in the agent's own configuration.
    fn configuration(self, folder: &Path) -> String {
        let example = folder.join("watchpost.conf");
        match self {
            Agent::Rsyslog => format!(
                "global(workDirectory=\"{}\")\ninclude(file=\"{}\")\n",
                folder.join("agent").display(),
                example.display()
            ),
            Agent::SyslogNg => format!(
                "@version: {}\n@include \"{}\"\n",
                self.modules().file_name().unwrap_or_default().to_string_lossy(),
                example.display()
            ),
        }
    }

    /// The program in the foreground.
    fn command(self, folder: &Path) -> Command {
        let unpacked = self.unpacked();
        let machine = format!("{}-linux-gnu", env::consts::ARCH);
        let libraries = [
            unpacked.join("usr/lib/syslog-ng"),
            unpacked.join("usr/lib").join(&machine),
            unpacked.join("lib").join(&machine),
        ];
        let (configuration, agent) = (folder.join("agent.conf"), folder.join("agent"));
        let mut command;
        match self {
            Agent::Rsyslog => {
                command = Command::new(unpacked.join("usr/sbin/rsyslogd"));
                command.args(["-n", "-f"]).arg(configuration);
                command.arg("-iNONE");
                command.arg("-M").arg(self.modules());
            }
            Agent::SyslogNg => {
                command = Command::new(unpacked.join("usr/sbin/syslog-ng"));
                command.args(["--foreground", "--stderr", "--no-caps", "--cfgfile"]);
                command.arg(configuration).arg("--module-path").arg(self.modules());
                command.arg("--persist-file").arg(agent.join("persist"));
                command.arg("--control").arg(agent.join("control"));
                command.arg("--pidfile").arg(agent.join("pid"));
            }
        }
        command.env("LD_LIBRARY_PATH", env::join_paths(libraries).unwrap());
        command
    }
}

impl Site {
    fn new(agent: Agent) -> Self {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        for name in ["agent", "runs", "state", "lib"] {
            fs::create_dir(at.join(name)).unwrap();
        }
        fs::copy(compiled(), at.join("lib/watchpost-cli.cwasm")).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../plugins/cli/examples")
            .join(agent.example());
        let mut example = fs::read_to_string(example).unwrap();
        let place = |name: &str| at.join(name).display().to_string();
        for (theirs, ours) in [
            ("/usr/local/bin/wasmtime", place("wasmtime")),
            ("/usr/local/lib/watchpost", place("lib")),
            ("/var/lib/watchpost", place("state")),
            ("/var/log/app.log", place("app.log")),
            // Every line comes out, so that none can be missed unseen, and there is soon a state to go on from.
            (" score ", " score --annotate ".to_owned()),
            ("--save-every 10", "--save-every 1".to_owned()),
        ] {
            assert!(example.contains(theirs), "the example has no {theirs}");
            example = example.replace(theirs, &ours);
        }
        write(&at.join("watchpost.conf"), &example);
        write(&at.join("agent.conf"), &agent.configuration(at));
        // The runtime, which first leaves behind what it starts from.
        let program = at.join("wasmtime");
        let text = format!(
            "#!/bin/sh\n\
             cd {folder} || exit 1\n\
             run=runs/$(ls runs | wc -l)\n\
             mkdir $run\n\
             cp state/app.state $run/state 2>/dev/null\n\
             cat state/alarms.ndjson 2>/dev/null | wc -c > $run/begin\n\
             echo $$ > $run/process.new\n\
             mv $run/process.new $run/process\n\
             exec {wasmtime} \"$@\"\n",
            folder = at.display(),
            wasmtime = variable("WATCHPOST_WASMTIME").display(),
        );
        write(&program, &text);
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let site = Site {
            agent,
            folder,
            lines: log(),
        };
        site.log(0..0);
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes these lines to the log.
    fn log(&self, lines: Range<usize>) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path("app.log"))
            .unwrap();
        let mut text = String::new();
        for line in &self.lines[lines] {
            writeln!(text, "{line}").unwrap();
        }
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Writes the first half, and waits for the state: it is saved with the first lines that come when a second is over.
    fn log_until_saved(&self) {
        self.log(0..LINES / 4);
        self.until("2,000 lines have passed", || self.passed() >= 2_000);
        sleep(Duration::from_millis(1_500));
        self.log(LINES / 4..LINES / 2);
        self.until("the state is saved", || self.path("state/app.state").is_file());
    }

    fn start(&self) -> Running<'_> {
        let output = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path("agent.log"))
            .unwrap();
        let mut command = self.agent.command(self.folder.path());
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        Running {
            site: self,
            process: command.spawn().unwrap(),
        }
    }

    /// Waits for it, and says what it was when it does not come.
    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            if begin.elapsed() > PATIENCE {
                let said = fs::read_to_string(self.path("agent.log")).unwrap_or_default();
                panic!(
                    "{:?}: not so after {PATIENCE:?}: {what}; {:?}\n{said}",
                    self.agent,
                    self.count()
                );
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn runs(&self) -> Vec<Run> {
        let read = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse().ok();
        (0..)
            .map(|n| self.path("runs").join(n.to_string()))
            .map_while(|folder| {
                let state = folder.join("state");
                Some(Run {
                    process: read(folder.join("process"))?,
                    begin: read(folder.join("begin"))? as usize,
                    state: state.is_file().then_some(state),
                })
            })
            .collect()
    }

    /// What the command has written.
    fn written(&self) -> Vec<u8> {
        fs::read(self.path("state/alarms.ndjson")).unwrap_or_default()
    }

    /// How many lines the command has written.
    fn passed(&self) -> usize {
        self.written().iter().filter(|byte| **byte == b'\n').count()
    }

    fn has_passed(&self, line: usize) -> bool {
        messages(&self.written()).contains(&self.lines[line])
    }

    fn count(&self) -> Count {
        let mut times: HashMap<&str, usize> = self.lines.iter().map(|line| (line.as_str(), 0)).collect();
        let mut count = Count::default();
        for message in messages(&self.written()) {
            match times.get_mut(message.as_str()) {
                Some(times) => *times += 1,
                None => count.broken.push(message),
            }
        }
        for times in times.into_values() {
            count.lost += usize::from(times == 0);
            count.doubles += times.saturating_sub(1);
        }
        count
    }

    /// Every run of the command wrote what `watchpost score` writes on the same lines from the same state.
    fn assert_verdicts(&self) {
        let written = self.written();
        let runs = self.runs();
        let mut alarms = 0;
        for (n, run) in runs.iter().enumerate() {
            let end = runs.get(n + 1).map_or(written.len(), |next| next.begin);
            // A command that is killed may leave the beginning of a line.
            let found = &written[run.begin..end];
            let found = &found[..found.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)];
            let expected = natively(&messages(found), run.state.as_deref());
            // A command that is killed does not tell what is told when a run is over.
            let is_same = expected
                .strip_prefix(found)
                .is_some_and(|rest| messages(rest).is_empty());
            assert!(is_same, "{:?}: run {n} differs", self.agent);
            alarms += found.windows(14).filter(|window| window == b"\"anomaly\":true").count();
        }
        assert!(alarms > 0);
    }
}

impl Running<'_> {
    /// Stops the agent as a service manager does, which waits for everything that the service has started.
    fn stop(mut self) {
        signal("TERM", self.process.id());
        let site = self.site;
        site.until("the agent has stopped", || self.process.try_wait().unwrap().is_some());
        for run in site.runs() {
            site.until("the command behind the agent has ended", || is_gone(run.process));
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
        for run in self.site.runs() {
            if !is_gone(run.process) {
                send("KILL", run.process);
            }
        }
    }
}

/// The lines as they came, of whole lines of what was written.
fn messages(written: &[u8]) -> Vec<String> {
    let whole = written.split_inclusive(|byte| *byte == b'\n');
    whole
        .filter_map(|line| serde_json::from_slice::<Value>(line.strip_suffix(b"\n")?).ok())
        // What is told when a run is over has no line of its own.
        .filter_map(|event| event.get("message")?.as_str().map(str::to_owned))
        .collect()
}

/// What `watchpost score` writes on these lines.
fn natively(lines: &[String], state: Option<&Path>) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command.args(["score", "--quiet", "--input=text", "--annotate"]);
    let folder = TempDir::new().unwrap();
    if let Some(state) = state {
        let own = folder.path().join("state");
        fs::copy(state, &own).unwrap();
        command.arg("--state").arg(own);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let feeder = thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn signal(name: &str, process: u32) {
    assert!(send(name, process), "cannot send {name} to {process}");
}

fn send(name: &str, process: u32) -> bool {
    Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

/// Whether it has ended, also when nobody has asked how.
fn is_gone(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| {
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
    })
}

mod real_agents {
    use super::*;

    #[test]
    fn rsyslog_is_restarted_and_nothing_is_lost() {
        let site = Site::new(Agent::Rsyslog);
        site.log(0..12_000);
        let agent = site.start();
        site.until("2,000 lines have passed", || site.passed() >= 2_000);
        agent.stop();
        let before = site.passed();
        site.log(12_000..15_000);
        let agent = site.start();
        site.log(15_000..LINES);
        site.until("every line has passed", || site.count().lost == 0);
        agent.stop();
        let count = site.count();
        println!("rsyslog restarted after {before} of {LINES} lines: {count:?}");
        assert_eq!((count.lost, &count.broken[..]), (0, &[][..]));
        assert_eq!(site.runs().len(), 2);
        site.assert_verdicts();
        assert_resumed(&site);
    }

    #[test]
    fn the_command_behind_rsyslog_is_killed_and_nothing_is_lost() {
        let site = Site::new(Agent::Rsyslog);
        let agent = site.start();
        site.log_until_saved();
        // Stopped first, so that there is a line that it has been given and has not confirmed.
        let command = site.runs()[0].process;
        signal("STOP", command);
        site.log(LINES / 2..LINES);
        sleep(Duration::from_secs(2));
        signal("KILL", command);
        site.until("every line has passed", || site.count().lost == 0);
        agent.stop();
        let (count, runs) = (site.count(), site.runs());
        println!("the command behind rsyslog killed: {count:?}");
        assert_eq!((count.lost, &count.broken[..]), (0, &[][..]));
        // What was written and not yet confirmed comes again, which is a line.
        assert!(count.doubles <= 1, "{count:?}");
        assert!(runs[1].state.is_some());
        site.assert_verdicts();
    }

    #[test]
    fn syslog_ng_is_restarted_and_nothing_is_lost() {
        let site = Site::new(Agent::SyslogNg);
        site.log(0..6_000);
        let agent = site.start();
        site.until("2,000 lines have passed", || site.passed() >= 2_000);
        // While the command stands still, the pipe fills up. Where this takes longer there is less in the pipe.
        let command = site.runs()[0].process;
        signal("STOP", command);
        site.log(6_000..12_000);
        sleep(Duration::from_secs(3));
        let before = site.passed();
        let waker = thread::spawn(move || {
            sleep(Duration::from_secs(2));
            // The kernel lets what is stopped go on when its parent is gone, so it may have ended.
            send("CONT", command);
        });
        agent.stop();
        waker.join().unwrap();
        let drained = site.passed() - before;
        site.log(12_000..15_000);
        let agent = site.start();
        site.log(15_000..LINES);
        site.until("the last line has passed", || site.has_passed(LINES - 1));
        agent.stop();
        let count = site.count();
        println!("syslog-ng restarted with {drained} lines in the pipe after {before} of {LINES}: {count:?}");
        assert_eq!(count, Count::default());
        assert_eq!(site.runs().len(), 2);
        site.assert_verdicts();
        assert_resumed(&site);
    }

    /// What is in the pipe, and what the command has read and not judged, is lost with it: a pipe holds 64 KiB, and so
    /// much is read at once.
    #[test]
    fn the_command_behind_syslog_ng_is_killed_and_the_loss_is_bounded() {
        const HELD: usize = 3 * 64 * 1024;
        let site = Site::new(Agent::SyslogNg);
        let agent = site.start();
        site.log_until_saved();
        // Stopped first, so that the pipe is full and the loss as large as it gets.
        let command = site.runs()[0].process;
        signal("STOP", command);
        site.log(LINES / 2..LINES * 3 / 4);
        sleep(Duration::from_secs(3));
        signal("KILL", command);
        site.until("the command is started again", || site.runs().len() > 1);
        site.log(LINES * 3 / 4..LINES);
        site.until("the last line has passed", || site.has_passed(LINES - 1));
        agent.stop();
        let (count, runs) = (site.count(), site.runs());
        println!("the command behind syslog-ng killed: {count:?}");
        let bytes = count.lost * site.lines[0].len();
        assert!(bytes <= HELD, "{count:?} are {bytes} bytes");
        // The line that the pipe's end cut in two comes as its second half, or not at all.
        assert!(count.broken.len() <= 1, "{count:?}");
        assert!(runs[1].state.is_some());
        site.assert_verdicts();
    }

    /// The second run knew what the first had seen: it did not say what one says that begins.
    fn assert_resumed(site: &Site) {
        let runs = site.runs();
        assert!(runs[1].state.is_some());
        let found = &site.written()[runs[1].begin..];
        assert!(found != natively(&messages(found), None));
    }
}
