//! What the tests share: the cases, and one way to run an input through an engine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use watchpost::engine::{Choice, Engine, EngineError};
use watchpost::guest::Limits;
use watchpost_detector::Input;

/// One folder of `tests/cases`.
#[derive(Debug)]
pub struct Case {
    /// Its folder.
    pub folder: PathBuf,
    /// The configuration document, empty for the defaults.
    pub config: String,
    /// How the bytes are to be read.
    pub input: Input,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Case {
    /// All cases, in order of their names.
    ///
    /// # Errors
    /// When a folder cannot be read or is not a case; the message names it.
    pub fn all() -> io::Result<Vec<Case>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let mut folders = fs::read_dir(&root)
            .map_err(|error| wrong(&root, error))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?;
        folders.retain(|path| path.is_dir());
        folders.sort();
        folders.into_iter().map(Case::open).collect()
    }

    /// Reads one case.
    ///
    /// # Errors
    /// When the folder is not a case; the message names what is wrong.
    pub fn open(folder: PathBuf) -> io::Result<Case> {
        const INPUTS: [(&str, &str); 4] = [
            ("input.ndjson", "ndjson"),
            ("input.csv", "csv"),
            ("input.log", "text"),
            ("input.prom", "prometheus"),
        ];
        let (file, format) = INPUTS
            .into_iter()
            .find(|(file, _)| folder.join(file).is_file())
            .ok_or_else(|| wrong(&folder, "has no input.ndjson, input.csv, input.log or input.prom"))?;
        let bytes = fs::read(folder.join(file))?;
        let mut input: serde_json::Map<_, _> = match optional(&folder.join("input.json"))? {
            Some(text) => serde_json::from_str(&text).map_err(|error| wrong(&folder.join("input.json"), error))?,
            None => serde_json::Map::new(),
        };
        input.entry("format").or_insert_with(|| format.into());
        let input = Input::from_json(&serde_json::Value::Object(input).to_string())
            .map_err(|error| wrong(&folder.join("input.json"), error))?;
        Ok(Case {
            config: optional(&folder.join("config.json"))?.unwrap_or_default(),
            input,
            bytes,
            folder,
        })
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Where the lines are that must come out.
    pub fn expectation(&self) -> PathBuf {
        self.folder.join("expected.ndjson")
    }

    /// Runs it in a new engine, in chunks of this many bytes.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn run(&self, choice: &Choice, chunk: usize) -> Result<Vec<u8>, EngineError> {
        let mut engine = Engine::open(choice, Limits::default(), &self.config, None)?;
        score(&mut engine, &self.input, &self.bytes, chunk)
    }
}

/// Runs one input from its beginning to the end of everything, in chunks of this many bytes.
///
/// # Errors
/// What the engine reports.
pub fn score(engine: &mut Engine, input: &Input, bytes: &[u8], chunk: usize) -> Result<Vec<u8>, EngineError> {
    let mut out = Vec::new();
    engine.begin(input)?;
    for part in bytes.chunks(chunk) {
        engine.push(part, &mut out)?;
    }
    engine.finish(&mut out)?;
    engine.close(&mut out)?;
    Ok(out)
}

fn optional(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(path, error)),
    }
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}

/// A word for a number, so that it is not taken for an identifier.
pub fn letters(number: u64) -> String {
    let mut word = String::from("w");
    let mut rest = number;
    loop {
        word.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
        if rest == 0 {
            return word;
        }
    }
}
