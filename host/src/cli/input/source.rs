//! Where input comes from: files and standard input, unpacked, read on a thread of their own so that a quiet
//! stream can be interrupted and unpacking does not wait for scoring.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use watchpost_detector::Role;
use watchpost_detector::wire::Format;

use super::paths;
use super::sniff::{self, Packing};
use crate::cli::exit::{Exit, Usage};

/// One input, in the order in which it is read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    place: Place,
    pub(crate) role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Stdin,
    File(PathBuf),
}

impl Source {
    /// `-` is standard input.
    pub(crate) fn new(path: &Path, role: Role) -> Source {
        let place = if path == Path::new("-") {
            Place::Stdin
        } else {
            Place::File(path.to_owned())
        };
        Source { place, role }
    }

    /// Fails when the input is not there or cannot be read, before anything has been scored.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let Place::File(path) = &self.place else {
            if io::stdin().is_terminal() {
                let message = "there is nothing to read: give files, or a pipe and `-`, as in `- < app.log`";
                return Err(Usage(message.to_owned()).into());
            }
            return Ok(());
        };
        paths::check(path)
    }

    /// The number of bytes to be read, where that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.place {
            Place::Stdin => None,
            Place::File(path) => fs::metadata(path)
                .ok()
                .filter(fs::Metadata::is_file)
                .map(|metadata| metadata.len()),
        }
    }

    pub(crate) fn is_stdin(&self) -> bool {
        self.place == Place::Stdin
    }

    /// What the log is called, whichever part of it this is.
    pub(crate) fn log(&self) -> PathBuf {
        match &self.place {
            Place::Stdin => PathBuf::from("-"),
            Place::File(path) => paths::log(path),
        }
    }

    /// The file's path, which may tell whose log it is.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Stdin => None,
            Place::File(path) => Some(path),
        }
    }

    fn open(&self, bar: &ProgressBar) -> io::Result<Box<dyn Read>> {
        Ok(match &self.place {
            Place::Stdin => Box::new(bar.wrap_read(io::stdin().lock())),
            Place::File(path) => Box::new(bar.wrap_read(File::open(path)?)),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Stdin => f.write_str("stdin"),
            Place::File(path) => path.display().fmt(f),
        }
    }
}

/// What happens, in the order in which it happens.
pub(crate) enum Message {
    /// The next input begins. The note says what is special about it.
    Begin {
        source: Source,
        format: Format,
        note: Option<&'static str>,
    },
    Chunk(Vec<u8>),
    /// Nothing more has come for a while.
    Pause,
    /// The input is over.
    End,
    /// All inputs are over.
    Done,
    /// An input could not be read to its end.
    Failed(anyhow::Error),
    /// The user or the system wants an end.
    Interrupted,
}

/// A stream that is quiet for so long has written what belongs together; a file's pauses mean nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads the inputs one after the other and hands them to `each`, until it fails or everything is read. The first
/// SIGINT or SIGTERM becomes a message; the second ends the program on the spot.
pub(crate) fn read(
    sources: Vec<Source>,
    format: Format,
    bar: &ProgressBar,
    mut each: impl FnMut(Message) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // A few chunks ahead: enough to keep both threads busy, and no more memory than that.
    let (sender, receiver) = sync_channel(4);
    let interrupt = sender.clone();
    let mut interrupted = false;
    ctrlc::set_handler(move || {
        if interrupted {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        interrupted = true;
        // The queue may be full for as long as the engine takes for a chunk, and a second signal must not wait.
        let interrupt = interrupt.clone();
        thread::spawn(move || interrupt.send(Message::Interrupted));
    })
    .context("cannot listen for signals")?;
    let bar = bar.clone();
    thread::spawn(move || {
        let feeder = Feeder { sender, format, bar };
        let last = match sources.into_iter().try_for_each(|source| feeder.feed(source)) {
            Ok(()) => Message::Done,
            Err(Stop::Failed(error)) => Message::Failed(error),
            Err(Stop::Unheard) => return,
        };
        // Nobody listens any more when the other side has failed, and then there is nobody to tell.
        let _ = feeder.sender.send(last);
    });
    let mut is_live = false;
    let mut is_waiting = false;
    loop {
        let received = if is_waiting {
            receiver.recv_timeout(PAUSE)
        } else {
            receiver.recv().map_err(RecvTimeoutError::from)
        };
        let message = match received {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Message::Pause,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        if let Message::Begin { source, .. } = &message {
            is_live = source.size().is_none();
        }
        is_waiting = is_live && matches!(message, Message::Chunk(_));
        let is_last = matches!(message, Message::Done | Message::Failed(_) | Message::Interrupted);
        each(message)?;
        if is_last {
            return Ok(());
        }
    }
}

struct Feeder {
    sender: SyncSender<Message>,
    format: Format,
    bar: ProgressBar,
}

/// Why reading ends early.
enum Stop {
    Failed(anyhow::Error),
    /// The scoring side is gone.
    Unheard,
}

impl Feeder {
    const CHUNK: usize = 64 << 10;

    fn feed(&self, source: Source) -> Result<(), Stop> {
        let name = source.to_string();
        let failed = |error: anyhow::Error| Stop::Failed(error.context(name.clone()));
        let mut reader = source
            .open(&self.bar)
            .map_err(anyhow::Error::from)
            .and_then(unpack)
            .map_err(failed)?;
        let mut read = chunk(&mut reader).map_err(failed)?;
        let first = read.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        let by_name = sniff::by_name(&name, first);
        let (format, note) = match (self.format, by_name) {
            // There is nothing whose format could be found.
            (Format::Auto, _) if read.is_empty() => (by_name.unwrap_or(Format::Text), Some("it is empty")),
            (format, _) if read.is_empty() => (format, Some("it is empty")),
            (Format::Auto, Some(format)) => (format, Some(sniff::BY_NAME)),
            (format, _) => (format, None),
        };
        self.send(Message::Begin { source, format, note })?;
        while !read.is_empty() {
            self.send(Message::Chunk(read))?;
            read = chunk(&mut reader).map_err(failed)?;
        }
        self.send(Message::End)
    }

    fn send(&self, message: Message) -> Result<(), Stop> {
        self.sender.send(message).map_err(|_| Stop::Unheard)
    }
}

/// What there is to be read now: as soon as there is something, and nothing only at the end.
fn chunk(reader: &mut impl Read) -> anyhow::Result<Vec<u8>> {
    let mut chunk = vec![0; Feeder::CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Ok(length) => {
                chunk.truncate(length);
                return Ok(chunk);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                bail!("the compressed data is cut off; what came before was read")
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Unpacks what is packed.
fn unpack(mut raw: Box<dyn Read>) -> anyhow::Result<Box<dyn Read>> {
    let mut head = Vec::with_capacity(Packing::LONGEST);
    let packing = loop {
        if let Some(packing) = Packing::of(&head) {
            break packing;
        }
        let mut next = [0; Packing::LONGEST];
        // Undecided heads are shorter than the longest magic.
        let room = &mut next[head.len()..];
        match raw.read(room) {
            Ok(0) => break Packing::Plain,
            Ok(length) => head.extend_from_slice(&room[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    };
    let whole = Cursor::new(head).chain(raw);
    Ok(match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(
            Feeder::CHUNK,
            whole,
        ))),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(whole)?),
        Packing::Foreign(name, program) => {
            bail!(
                "this is packed with {name}, which is not read here; `{program} FILE` unpacks it, and `-` reads a pipe"
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn unpacked(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut reader = unpack(Box::new(Cursor::new(bytes)))?;
        loop {
            let read = chunk(&mut reader)?;
            if read.is_empty() {
                return Ok(all);
            }
            all.extend(read);
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_input_is_recognised_and_unpacked_in_all_its_members() {
        let text = b"one\ntwo\n".repeat(50_000);
        assert_eq!(unpacked(text.clone()).unwrap(), text);
        let (start, end) = text.split_at(12_345);
        assert_eq!(unpacked([gzip(start), gzip(end)].concat()).unwrap(), text);
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        assert_eq!(unpacked([zstd(start), zstd(end)].concat()).unwrap(), text);
        assert_eq!(unpacked(Vec::new()).unwrap(), b"");
        assert_eq!(unpacked(b"\x1f".to_vec()).unwrap(), b"\x1f");
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_an_error_that_says_so() {
        let mut cut = gzip(b"one two three");
        cut.truncate(cut.len() - 9);
        assert!(unpacked(cut).unwrap_err().to_string().contains("cut off"));
        let mut cut = zstd::encode_all(&b"one two three"[..], 1).unwrap();
        cut.truncate(cut.len() - 3);
        assert!(unpacked(cut).unwrap_err().to_string().contains("cut off"));
        assert!(
            unpacked(b"BZh91AY".to_vec())
                .unwrap_err()
                .to_string()
                .contains("bzip2 -dc FILE")
        );
    }
}
