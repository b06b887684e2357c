//! The documents are true: every command in them runs and ends as they say, what they show is what is printed,
//! and what they name exists.
//!
//! A shell block is run as a reader would paste it, one command after the other; the blocks of a document share a
//! temporary folder. A comment says what is out of the ordinary: `# exits with 3`, or `# until Ctrl-C` for a command
//! that does not end by itself. A block of `text` or `json` right below a shell block shows lines of its output;
//! a line that is `…` stands for others, and one that ends in `…` for the rest of it. The blocks of
//! `plugins/envoy/README.md` need an Envoy, and are run by `tests/release.rs`; those of `plugins/cli/README.md` and
//! `plugins/vector/README.md` need the wasmtime CLI, and are run by `wasi.rs`; `fluent_bit.rs` runs those of
//! `plugins/fluent-bit/README.md`.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Every command of every guide, run once for all tests.
static RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| guides().iter().flat_map(run_all).collect());

#[test]
fn every_command_ends_as_its_document_says() {
    let failures: Vec<String> = RUNS
        .iter()
        .filter(|run| run.code != run.expected)
        // Ctrl-C reaches what writes into the pipe as well: where its end comes first, the input is over in good order.
        .filter(|run| !(run.command.contains("# until Ctrl-C") && run.code == 0))
        .map(|run| {
            format!(
                "{}: `{}` exits with {}, not with {}; it prints\n{}",
                run.place, run.command, run.code, run.expected, run.printed
            )
        })
        .collect();
    assert!(RUNS.len() > 10, "the documents have no commands");
    assert_none(&failures);
}

#[test]
fn what_is_shown_is_what_is_printed() {
    let mut failures = Vec::new();
    for guide in guides() {
        for pair in guide.blocks.windows(2) {
            let [shell, shown] = pair else { continue };
            if shell.language != "sh" || !shown.follows || !matches!(&*shown.language, "text" | "json") {
                continue;
            }
            let block = format!("{}:{}", guide.name, shell.line);
            let printed: Vec<&str> = RUNS
                .iter()
                .filter(|run| run.block == block)
                .flat_map(|run| run.printed.lines())
                .collect();
            for line in shown.lines.iter().filter(|line| line.trim() != "…") {
                let is_printed = match line.strip_suffix('…') {
                    Some(start) => printed.iter().any(|printed| printed.starts_with(start.trim_end())),
                    None => printed.contains(&line.as_str()),
                };
                if !is_printed {
                    failures.push(format!(
                        "{}:{}: this is not printed: {line}\nit prints\n{}",
                        guide.name,
                        shown.line,
                        printed.join("\n")
                    ));
                    break;
                }
            }
        }
    }
    assert_none(&failures);
}

#[test]
fn every_link_and_every_path_leads_somewhere() {
    let names = file_names(&root());
    let mut failures = Vec::new();
    for document in documents() {
        let folder = document.path.parent().unwrap().to_owned();
        for (number, line) in &document.prose {
            let mut missing = |what: &str| failures.push(format!("{}:{number}: {what}", document.name));
            for link in links(line).filter(|link| !link.contains("://")) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = match path {
                    "" => document.path.clone(),
                    path => folder.join(path),
                };
                if !target.exists() {
                    missing(&format!("there is no {link}"));
                } else if !anchor.is_empty() && !Document::open(&target).anchors().contains(anchor) {
                    missing(&format!("there is no heading for {link}"));
                }
            }
            for path in spans(line).filter(|span| !leads_somewhere(span, &folder, &names)) {
                missing(&format!("there is no file {path}"));
            }
        }
    }
    assert_none(&failures);
}

#[test]
fn every_task_is_one_of_xtask() {
    let tasks = tasks();
    assert!(tasks.contains("test"), "{tasks:?}");
    let mut failures = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document.path).unwrap();
        for (_, after) in text
            .match_indices("cargo xtask ")
            .map(|(at, name)| text[at..].split_at(name.len()))
        {
            let task: String = after.chars().take_while(char::is_ascii_lowercase).collect();
            if !task.is_empty() && !tasks.contains(&task) {
                failures.push(format!("{}: there is no task `{task}`", document.name));
            }
        }
    }
    assert_none(&failures);
}

/// The schemas know every field; a document that describes them knows them, too.
#[test]
fn every_field_is_described() {
    let mut failures = Vec::new();
    // What a pattern has stands in a document of its own.
    let documents: [(&str, &[&str]); 2] = [
        ("config", &["docs/configuration.md", "docs/patterns.md"]),
        ("verdict", &["docs/verdicts.md"]),
    ];
    for (schema, files) in documents {
        let output = Command::new(env!("CARGO_BIN_EXE_watchpost"))
            .args(["config", "schema", schema])
            .output()
            .unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut names = BTreeSet::new();
        fields(&schema, &mut names);
        assert!(names.len() > 3, "{names:?}");
        let text: String = files
            .iter()
            .map(|file| fs::read_to_string(root().join(file)).unwrap())
            .collect();
        let file = files.join(" and ");
        failures.extend(
            names
                .iter()
                .filter(|name| !text.contains(&format!("`{name}`")) && !text.contains(&format!(".{name}`")))
                .map(|name| format!("{file} says nothing of `{name}`")),
        );
    }
    assert_none(&failures);
}

fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
}

/// A document of the project.
struct Document {
    /// Its path from the root, as messages name it.
    name: String,
    path: PathBuf,
    blocks: Vec<Block>,
    /// The lines outside of blocks, with their numbers from 1.
    prose: Vec<(usize, String)>,
}

/// A fenced block.
struct Block {
    language: String,
    /// The number of its first line.
    line: usize,
    lines: Vec<String>,
    /// Whether there is nothing between it and the block above it.
    follows: bool,
}

impl Document {
    fn open(path: &Path) -> Document {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut document = Document {
            name: path.strip_prefix(root()).unwrap_or(path).display().to_string(),
            path: path.to_owned(),
            blocks: Vec::new(),
            prose: Vec::new(),
        };
        let mut open: Option<Block> = None;
        let mut follows = false;
        for (line, number) in text.lines().zip(1..) {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    open = Some(Block {
                        language: language.trim().to_owned(),
                        line: number + 1,
                        lines: Vec::new(),
                        follows,
                    });
                }
                (Some(_), Some(_)) => {
                    document.blocks.extend(open.take());
                    follows = true;
                }
                (None, Some(block)) => block.lines.push(line.to_owned()),
                (None, None) => {
                    follows &= line.trim().is_empty();
                    document.prose.push((number, line.to_owned()));
                }
            }
        }
        assert!(open.is_none(), "{}: a block has no end", document.name);
        document
    }

    /// What its headings are called in links.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose.iter().filter_map(|(_, line)| line.strip_prefix('#'));
        headings
            .map(|heading| {
                let words = heading.trim_start_matches('#').trim().to_lowercase();
                let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            })
            .collect()
    }
}

/// The documents whose shell blocks a reader pastes.
fn guides() -> Vec<Document> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.sort();
    paths.insert(0, root().join("README.md"));
    paths.iter().map(|path| Document::open(path)).collect()
}

fn documents() -> Vec<Document> {
    let others = [
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "plugins/README.md",
        "plugins/cli/README.md",
        "plugins/vector/README.md",
        "plugins/envoy/README.md",
        "plugins/fluent-bit/README.md",
    ];
    let mut documents = guides();
    documents.extend(others.iter().map(|name| Document::open(&root().join(name))));
    documents
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A command that was run.
struct Run {
    /// The block that it is of, and its own line.
    block: String,
    place: String,
    command: String,
    expected: i32,
    code: i32,
    /// Standard output, then standard error.
    printed: String,
}

fn run_all(guide: &Document) -> Vec<Run> {
    let desk = Desk::new();
    let mut runs = Vec::new();
    for block in guide.blocks.iter().filter(|block| block.language == "sh") {
        for (line, command) in commands(guide, block) {
            let command = command.replace("cargo run --release --", "watchpost");
            if is_known(&command) {
                continue;
            }
            let place = format!("{}:{line}", guide.name);
            let (code, printed) = desk.run(&command, command.contains("# until Ctrl-C"));
            runs.push(Run {
                block: format!("{}:{}", guide.name, block.line),
                place,
                expected: exit_code(&command),
                command,
                code,
                printed,
            });
        }
    }
    runs
}

/// What is not run, because it takes the network or many minutes; the tasks of xtask are checked elsewhere.
fn is_known(command: &str) -> bool {
    let command = command.split(" #").next().unwrap_or_default().trim();
    command.starts_with("cargo xtask ") || ["cargo build --release", "rustup toolchain install"].contains(&command)
}

fn exit_code(command: &str) -> i32 {
    let digits = command.split("exits with ").nth(1).unwrap_or("0");
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// The commands of a block, with their lines. A command goes on until the shell finds it complete.
fn commands(document: &Document, block: &Block) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    let mut lines = block.lines.iter().zip(block.line..);
    while let Some((first, number)) = lines.next() {
        if first.trim().is_empty() || first.trim_start().starts_with('#') {
            continue;
        }
        let mut command = format!("{first}\n");
        while !is_complete(&command) {
            let (next, _) = lines
                .next()
                .unwrap_or_else(|| panic!("{}:{number}: the command has no end", document.name));
            command.push_str(next);
            command.push('\n');
        }
        commands.push((number, command.trim_end().to_owned()));
    }
    commands
}

fn is_complete(command: &str) -> bool {
    let end_of_document = command
        .split_once("<<")
        .map(|(_, after)| after.trim_start_matches(['\'', '"']))
        .map(|after| after.chars().take_while(char::is_ascii_uppercase).collect::<String>());
    if let Some(end) = end_of_document {
        return command.lines().last() == Some(&end);
    }
    let check = Command::new("sh")
        .args(["-n", "-c", command])
        .stderr(Stdio::null())
        .status();
    !command.trim_end().ends_with(['\\', '|']) && check.unwrap().success()
}

/// Where commands are run: a folder for the reader's files, the program on the path, and a place for what it prints.
struct Desk {
    folder: TempDir,
    aside: TempDir,
}

impl Desk {
    /// Longer than any command takes.
    const PATIENCE: Duration = Duration::from_secs(300);

    fn new() -> Desk {
        let desk = Desk {
            folder: tempfile::tempdir().unwrap(),
            aside: tempfile::tempdir().unwrap(),
        };
        let program = desk.aside.path().join("watchpost");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_watchpost"), program).unwrap();
        desk
    }

    /// Runs a command in a shell; where the reader is to press Ctrl-C, it is pressed once the input was begun.
    fn run(&self, command: &str, is_interrupted: bool) -> (i32, String) {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.aside.path().join(name));
        let mut path = OsString::from(self.aside.path());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "COLUMNS"] {
            shell.env_remove(variable);
        }
        let mut child = shell
            // A shell that ignores the interrupt lives to tell the exit code of the command.
            .args(["-c", &format!("trap : INT\n{command}")])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        let group = format!("-{}", child.id());
        let signal = |name: &str| {
            // A group that has just ended cannot be told anything, and needs not be.
            let _ = Command::new("kill").args([name, "--", &group]).status();
        };
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let started = Instant::now();
        let mut is_running = !is_interrupted;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if !is_running && read(&stderr).contains("read as ") {
                signal("-INT");
                is_running = true;
            }
            if started.elapsed() > Self::PATIENCE {
                signal("-KILL");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        (code.unwrap_or(-1), read(&stdout) + &read(&stderr))
    }
}

/// The targets of a line's links.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|after| after.split_once(')').map(|(target, _)| target))
}

/// What stands between backquotes.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a piece of code is no path, or one of a file that exists. Paths are told from the root or from the folder
/// of the document; `<name>`, `*` and `{a,b}` in them stand for anything. A source file may go by its name alone.
fn leads_somewhere(code: &str, folder: &Path, names: &BTreeSet<String>) -> bool {
    if code.contains(char::is_whitespace) || code.contains("://") {
        return true;
    }
    let Some((first, _)) = code.split_once('/') else {
        return !(code.ends_with(".rs") || code.ends_with(".wit")) || names.contains(code);
    };
    let is_pattern = |part: &str| part.contains(['<', '*', '{']);
    let known: PathBuf = code.split('/').take_while(|part| !is_pattern(part)).collect();
    // What is built is there only once it was built.
    let is_path = !first.is_empty() && first != "target";
    [root(), folder.to_owned()]
        .iter()
        .filter(|folder| is_path && folder.join(first).is_dir())
        .all(|folder| folder.join(&known).exists())
}

/// The names of all files below a folder, but for those that tools leave there.
fn file_names(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().unwrap().is_dir() {
            names.insert(name);
        } else if name != "target" && name != ".git" {
            names.extend(file_names(&entry.path()));
        }
    }
    names
}

/// The tasks that xtask has: the variants of its enum, as its command line calls them.
fn tasks() -> BTreeSet<String> {
    let source = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let tasks = source.split("enum Task {").nth(1).unwrap().split("\n}").next().unwrap();
    tasks
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| {
            line.chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect::<String>()
                .to_lowercase()
        })
        .collect()
}

/// The names of all fields that a schema describes.
fn fields(schema: &serde_json::Value, names: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                if let (true, Some(properties)) = (key == "properties", value.as_object()) {
                    names.extend(properties.keys().cloned());
                }
                fields(value, names);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|schema| fields(schema, names)),
        _ => {}
    }
}
