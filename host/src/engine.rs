//! What scores the input: the engine as a wasm guest, or the same detector linked natively.
//!
//! Both write the same bytes. The guest is the default, because what it cannot do (read files, open
//! sockets, run for ever, take all memory) it cannot be made to do by a hostile input either.

use std::fs;
use std::path::PathBuf;

use watchpost_detector::{Input, OpenError, Scorer, Status, Timestamp};

use crate::guest::{Guest, Limits, Module};

/// The engine that is built into this program, as a component.
static BUILT_IN: &[u8] = include_bytes!(env!("WATCHPOST_ENGINE"));

/// Which engine is to score.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// The engine that is built in, as a wasm guest.
    #[default]
    Wasm,
    /// The detector that is linked into this program, without the guest's walls and limits.
    Native,
    /// Another build of the engine: a component that exports the world `watchpost:engine`.
    File(PathBuf),
}

impl std::str::FromStr for Choice {
    type Err = std::convert::Infallible;

    /// `wasm`, `native`, or the path of a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "wasm" => Choice::Wasm,
            "native" => Choice::Native,
            path => Choice::File(path.into()),
        })
    }
}

/// Something that scores inputs, one after the other.
#[derive(Debug)]
pub enum Engine {
    /// The detector that is linked into this program.
    Native(Box<Scorer>),
    /// A wasm guest.
    Wasm(Box<Guest>),
}

impl Engine {
    /// Opens an engine with a configuration document (`{"detector": {…}}`, empty for the defaults), from a
    /// snapshot if there is one. The limits are the guest's; the native engine has none.
    ///
    /// # Errors
    /// When the file cannot be read or is not an engine, or the configuration or the snapshot is refused.
    pub fn open(choice: &Choice, limits: Limits, config: &str, snapshot: Option<&[u8]>) -> Result<Self, EngineError> {
        let module = match choice {
            Choice::Native => {
                let scorer = Scorer::open(config, snapshot)?;
                return Ok(Engine::Native(Box::new(scorer)));
            }
            Choice::Wasm => Module::load(BUILT_IN, limits)?,
            Choice::File(path) => fs::read(path)
                .map_err(|error| EngineError::Load(error.to_string()))
                .and_then(|bytes| Module::load(&bytes, limits))
                .map_err(|error| error.in_file(path))?,
        };
        Guest::open(&module, config, snapshot).map(|guest| Engine::Wasm(Box::new(guest)))
    }

    /// Begins an input. What came before it is over: call [`Engine::finish`] first.
    ///
    /// # Errors
    /// When the guest refuses the input, traps or reaches a limit.
    pub fn begin(&mut self, input: &Input) -> Result<(), EngineError> {
        match self {
            Engine::Native(scorer) => {
                scorer.begin(input.clone());
                Ok(())
            }
            Engine::Wasm(guest) => guest.begin(input),
        }
    }

    /// Reads a chunk of the input, cut anywhere, and appends what is to be said about it.
    ///
    /// # Errors
    /// When the guest traps or reaches a limit; what it said before stays in `out`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Engine::Native(scorer) => {
                scorer.push(chunk, out);
                Ok(())
            }
            Engine::Wasm(guest) => guest.push(chunk, out),
        }
    }

    /// Nothing more has come for a while: what waits for its continuation is taken as it stands.
    ///
    /// # Errors
    /// When the guest traps or reaches a limit.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Engine::Native(scorer) => {
                scorer.flush(out);
                Ok(())
            }
            Engine::Wasm(guest) => guest.flush(out),
        }
    }

    /// The input is over.
    ///
    /// # Errors
    /// When the guest traps or reaches a limit.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Engine::Native(scorer) => {
                scorer.finish(out);
                Ok(())
            }
            Engine::Wasm(guest) => guest.finish(out),
        }
    }

    /// Everything is over: what is still open is reported as it stands.
    ///
    /// # Errors
    /// When the guest traps or reaches a limit.
    pub fn close(&mut self, out: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Engine::Native(scorer) => {
                scorer.close(out);
                Ok(())
            }
            Engine::Wasm(guest) => guest.close(out),
        }
    }

    /// Time goes on without events.
    ///
    /// # Errors
    /// When the guest traps or reaches a limit.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Engine::Native(scorer) => {
                scorer.tick(now, out);
                Ok(())
            }
            Engine::Wasm(guest) => guest.tick(now, out),
        }
    }

    /// The whole state, to go on from later.
    ///
    /// # Errors
    /// When the guest traps or reaches a limit.
    pub fn snapshot(&mut self) -> Result<Vec<u8>, EngineError> {
        match self {
            Engine::Native(scorer) => Ok(scorer.snapshot()),
            Engine::Wasm(guest) => guest.snapshot(),
        }
    }

    /// Where the detector stands.
    ///
    /// # Errors
    /// When the guest traps or reaches a limit.
    pub fn status(&mut self) -> Result<Status, EngineError> {
        match self {
            Engine::Native(scorer) => Ok(scorer.status()),
            Engine::Wasm(guest) => guest.status(),
        }
    }

    /// The size of the guest's memory now. The native engine shares the program's, so it has no answer.
    pub fn memory_bytes(&self) -> Option<u64> {
        match self {
            Engine::Native(_) => None,
            Engine::Wasm(guest) => Some(guest.memory_bytes()),
        }
    }
}

/// What can go wrong with an engine. None of it is a panic, and after none of it is the host worse off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The configuration is not one.
    #[error("{0}")]
    Config(String),
    /// The snapshot cannot be used.
    #[error("{0}")]
    Snapshot(String),
    /// The description of the input is not one.
    #[error("input: {0}")]
    Input(String),
    /// The guest wanted more than it may have. Its state is lost; go on from the last snapshot.
    #[error("the engine was stopped in `{call}`: {limit}")]
    Limit {
        /// Which limit.
        limit: Limit,
        /// The call that reached it.
        call: &'static str,
    },
    /// The guest failed. Its state is lost; go on from the last snapshot.
    #[error("the engine failed in `{call}`: {message}; go on from the last snapshot, and please report this")]
    Trap {
        /// The call that it failed in.
        call: &'static str,
        /// What happened, in the words of the runtime.
        message: String,
    },
    /// The file is wasm, but not an engine.
    #[error("not an engine: {0}")]
    Abi(String),
    /// The file cannot be read or compiled.
    #[error("cannot load the engine: {0}")]
    Load(String),
}

impl EngineError {
    fn in_file(self, path: &std::path::Path) -> Self {
        match self {
            EngineError::Abi(message) => EngineError::Abi(format!("{}: {message}", path.display())),
            EngineError::Load(message) => EngineError::Load(format!("{}: {message}", path.display())),
            other => other,
        }
    }
}

impl From<OpenError> for EngineError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Snapshot(error) => EngineError::Snapshot(error.to_string()),
            error => EngineError::Config(error.to_string()),
        }
    }
}

/// What a guest may not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// Computation in one call.
    #[error("it computed for longer than any input of this size should take, so it may be in an endless loop")]
    Fuel,
    /// Memory.
    #[error(
        "it wanted more memory than its limit of {}; lower `bounds` in the configuration, or run it with `--no-limits`",
        mebibytes(*bytes)
    )]
    Memory {
        /// The limit.
        bytes: u64,
    },
}

fn mebibytes(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{bytes} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_memory_is_told_with_what_can_be_done() {
        let told = |bytes| Limit::Memory { bytes }.to_string();
        assert_eq!(
            told(640 << 20),
            "it wanted more memory than its limit of 640 MiB; lower `bounds` in the configuration, or run it with \
             `--no-limits`"
        );
        assert!(told(1000).contains("limit of 1000 bytes;"));
    }
}
