//! The options that choose and limit the engine, for every subcommand that runs one.

use clap::Args;
use watchpost::engine::{Choice, Engine, EngineError};
use watchpost::guest::Limits;
use watchpost_detector::Document;

#[derive(Debug, Args)]
pub(crate) struct EngineOptions {
    /// What scores: the built-in `wasm` guest, the same code `native`, or the path of another build of the engine.
    #[arg(long, value_name = "wasm|native|FILE", default_value = "wasm")]
    engine: Choice,

    /// Lets the wasm guest compute for as long as it likes and use all the memory that it can address.
    #[arg(long)]
    no_limits: bool,
}

impl EngineOptions {
    pub(crate) fn open(&self, document: &Document, snapshot: Option<&[u8]>) -> Result<Engine, EngineError> {
        let limits = if self.no_limits { Limits::OFF } else { Limits::default() };
        let config = serde_json::to_string(document).expect("the document's types have string keys only");
        Engine::open(&self.engine, limits, &config, snapshot)
    }
}
