//! One run over what the command line names.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::Context;
use watchpost_detector::{Answer, Envelope, Input, RelayConfig, Role, in_plain_words};
use watchpost_stream::{CHUNK, Exit, PAUSE, Reports, Sink, Stream, Usage, read, write};

use crate::arguments::{Output, Score};

/// What is told of an episode while it lasts, as in `watchpost score --output ndjson`.
const PHASES: [&[u8]; 3] = [b"\"phase\":\"onset\"", b"\"phase\":\"worse\"", b"\"phase\":\"near\""];

pub(crate) fn score(score: &Score) -> anyhow::Result<Exit> {
    let Output::Ndjson = score.output;
    let sink = match &score.write {
        Some(path) => {
            let file = OpenOptions::new().append(true).create(true).open(path);
            Sink::File(
                file.with_context(|| format!("cannot open {}", path.display()))?,
                path.clone(),
            )
        }
        None => Sink::Stdout,
    };
    let mut stream = Stream::open(&score.options, reports(score), sink)?;
    let read = inputs(score, &mut stream);
    let found = stream.conclude(read)?;
    Ok(if score.exit_code && found {
        Exit::Found
    } else {
        Exit::Fine
    })
}

fn reports(score: &Score) -> Reports {
    if score.annotate.is_some() || score.options.pass.is_some() {
        return Reports::Relay(RelayConfig {
            pass: score.options.pass.unwrap_or_default(),
            sample: score.options.sample,
            annotate: score.annotate.clone(),
            envelope: Envelope::of(score.input),
            ..RelayConfig::default()
        });
    }
    if score.scores {
        return Reports::Rows;
    }
    Reports::Anomalies(|line, out| {
        let is_told = |phase: &[u8]| line.windows(phase.len()).any(|window| window == phase);
        if PHASES.into_iter().any(is_told) {
            out.extend_from_slice(line);
        }
    })
}

fn inputs(score: &Score, stream: &mut Stream<'_>) -> anyhow::Result<()> {
    let answers = score.feedback.as_deref().map(answers).transpose()?.unwrap_or_default();
    for path in &score.warm_up {
        input(score, stream, path, Role::WarmUp, &answers)?;
    }
    let stdin = [PathBuf::from("-")];
    let files = if score.files.is_empty() {
        &stdin[..]
    } else {
        &score.files
    };
    for path in files {
        input(score, stream, path, Role::Score, &answers)?;
    }
    Ok(())
}

fn input(score: &Score, stream: &mut Stream<'_>, path: &Path, role: Role, answers: &[Answer]) -> anyhow::Result<()> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin {
        "stdin".to_owned()
    } else {
        path.display().to_string()
    };
    let described = Input {
        role,
        line_by_line: score.confirm,
        source: (!is_stdin).then(|| name.clone()),
        subject: (!score.subject.is_empty()).then(|| score.subject.clone()),
        answers: answers.to_vec(),
        ..Input::new(score.input)
    };
    stream.begin(name.clone(), described)?;
    if is_stdin {
        read_all(&mut io::stdin().lock(), &name, true, score.confirm, stream)?;
    } else {
        let mut file = File::open(path)
            .with_context(|| format!("{name}: is its folder given to the runtime, as with `wasmtime run --dir .`?"))?;
        read_all(&mut file, &name, false, false, stream)?;
    }
    stream.finish()
}

fn read_all(
    input: &mut (impl io::Read + AsFd),
    name: &str,
    is_stream: bool,
    confirm: bool,
    stream: &mut Stream<'_>,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; CHUNK];
    if confirm {
        confirm_lines(1)?;
    }
    let mut pause = None;
    loop {
        let Some(count) = read(input, &mut buffer, pause).with_context(|| format!("cannot read {name}"))? else {
            stream.pause()?;
            pause = None;
            continue;
        };
        if count == 0 {
            return Ok(());
        }
        let chunk = buffer.get(..count).unwrap_or_default();
        stream.push(chunk)?;
        if confirm {
            confirm_lines(chunk.iter().filter(|byte| **byte == b'\n').count())?;
        }
        pause = is_stream.then_some(PAUSE);
    }
}

/// Answers so many lines.
fn confirm_lines(lines: usize) -> anyhow::Result<()> {
    write("OK\n".repeat(lines).as_bytes()).context("cannot write to standard output")
}

fn answers(path: &Path) -> anyhow::Result<Vec<Answer>> {
    let text = fs::read_to_string(path).with_context(|| format!("feedback {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| {
                let message = in_plain_words(&error.to_string());
                Usage(format!("{}:{}: {message}", path.display(), at + 1)).into()
            })
        })
        .collect()
}
