//! A transform for Vector, as a command for WASI (preview 2): it reads events in Vector's `native_json`, one a line, from
//! standard input or from connections, and writes them with their verdicts to standard output.

mod arguments;
mod listen;
mod verdict;

use std::io;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use watchpost_detector::wire::Format;
use watchpost_detector::{Envelope, Input, RelayConfig};
use watchpost_stream::{CHUNK, Exit, PAUSE, Reports, Sink, Stream, read};

use arguments::{Arguments, Emit};
use listen::Listener;

fn main() -> ExitCode {
    watchpost_stream::exit(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    // Vector tries to connect as soon as it has started us, and again half a second later and more.
    let listener = arguments.listen.map(Listener::bind).transpose()?;
    let mut stream = Stream::open(&arguments.options, reports(arguments), Sink::Stdout)?;
    let name = if listener.is_some() { "connection" } else { "stdin" };
    let input = Input {
        line_by_line: true,
        ..Input::new(Format::NativeJson)
    };
    stream.begin(name.to_owned(), input)?;
    let read = match listener {
        Some(listener) => listener.serve(&mut stream),
        None => stdin(&mut stream),
    };
    let read = read.and_then(|()| stream.finish());
    stream.conclude(read)?;
    Ok(Exit::Fine)
}

fn reports(arguments: &Arguments) -> Reports {
    match arguments.emit {
        Some(Emit::Log) => Reports::Anomalies(verdict::log),
        Some(Emit::Metric) => Reports::Anomalies(verdict::metric),
        None => Reports::Relay(RelayConfig {
            pass: arguments.options.pass.unwrap_or_default(),
            sample: arguments.options.sample,
            annotate: (!arguments.verbatim).then(|| arguments.field.clone()),
            envelope: Envelope::NativeJson,
            ..RelayConfig::default()
        }),
    }
}

fn stdin(stream: &mut Stream<'_>) -> anyhow::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut input = io::stdin().lock();
    loop {
        match read(&mut input, &mut buffer, Some(PAUSE)).context("cannot read stdin")? {
            None => stream.pause()?,
            Some(0) => return Ok(()),
            Some(count) => stream.push(buffer.get(..count).unwrap_or_default())?,
        }
    }
}
