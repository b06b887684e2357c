//! What is released: an archive with the program, the modules and the examples for Envoy and Vector, and the Envoy module
//! as an OCI image. The same sources on the same machine give the same bytes.

mod documents;
mod image;
mod tarball;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::{process, wasm};
use documents::Documents;
use image::{About, Image};
use tarball::Tarball;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const LICENSE: &str = env!("CARGO_PKG_LICENSE");
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// The module that runs in Envoy.
const MODULE: &str = "watchpost-envoy.wasm";

/// Documents and other texts: their paths in the project and their places in the archive. Its README is that of the
/// Envoy plugin, since Envoy is what most who unpack it want.
const TEXTS: [(&str, &str); 7] = [
    ("plugins/envoy/README.md", "README.md"),
    ("plugins/README.md", "docs/plugins.md"),
    ("plugins/vector/README.md", "vector/README.md"),
    ("plugins/fluent-bit/README.md", "fluent-bit/README.md"),
    ("plugins/engine/wit/engine.wit", "engine.wit"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE", "LICENSE"),
];

/// Folders of the project of which every file is in the archive, with their places.
const FOLDERS: [(&str, &str); 3] = [
    ("docs", "docs"),
    ("plugins/envoy/examples", "examples"),
    ("plugins/vector/examples", "vector/examples"),
];

/// Builds everything in its release profile and packs it.
pub(crate) fn run() -> Result<()> {
    let program = build()?;
    wasm::build()?;
    pack(&program, &process::target().join("release-archive"))
}

/// Packs this program, and the modules as they were built last, into a folder, which is made anew.
pub(crate) fn pack(program: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let module = read(&wasm::folder().join(MODULE))?;
    let image = Image::new(
        &module,
        &About {
            title: "watchpost-envoy",
            description: "Watchpost as a module for Envoy: finds slow and failing routes in the traffic that it serves",
            version: VERSION,
            license: LICENSE,
            source: REPOSITORY,
        },
    )?;
    let layout = folder.join("watchpost-envoy.oci");
    for (path, bytes) in image.files.files() {
        write(&layout.join(path), bytes)?;
    }
    let name = format!("watchpost-{VERSION}-{}", target()?);
    let archive = tarball::gzip(&contents(program, module)?.tar(&name)?)?;
    let mut sums = Tarball::default();
    sums.add(format!("{name}.tar.gz"), archive);
    sums.add(format!("watchpost-envoy-{VERSION}.oci.tar"), image.files.tar("")?);
    for (path, bytes) in sums.files() {
        write(&folder.join(path), bytes)?;
        println!("{:>9} bytes  {}", bytes.len(), shown(&folder.join(path)));
    }
    write(&folder.join("SHA256SUMS"), sum_lines(&sums).as_bytes())?;
    println!("{:>15}  {}, {}", "", shown(&layout), image.digest);
    Ok(())
}

/// The program as it is released. Its flags differ from those of `cargo build --release`, so it is built apart: without
/// the paths of this machine, and without symbols.
fn build() -> Result<PathBuf> {
    let folder = process::target().join("release-cargo");
    let flags = watchpost_guests::remapped(&watchpost_guests::root()).join("\x1f");
    process::run(
        process::cargo()
            .args(["build", "--locked", "--release", "--package", "watchpost"])
            .args(["--config", "profile.release.strip=true"])
            .arg("--target-dir")
            .arg(&folder)
            .env("CARGO_ENCODED_RUSTFLAGS", flags),
    )?;
    Ok(folder.join("release").join("watchpost"))
}

/// What is in the archive, with the sums of everything.
fn contents(program: &Path, module: Vec<u8>) -> Result<Tarball> {
    let root = watchpost_guests::root();
    let mut documents = Documents::new(format!("{REPOSITORY}/blob/v{VERSION}/"));
    let mut texts: Vec<(String, String)> = Vec::new();
    for (path, place) in TEXTS {
        texts.push((path.to_owned(), place.to_owned()));
    }
    for (from, to) in FOLDERS {
        for name in names(&root.join(from))? {
            texts.push((format!("{from}/{name}"), format!("{to}/{name}")));
        }
    }
    for (path, place) in &texts {
        documents.place(path, place);
    }
    let mut contents = Tarball::default();
    for (path, place) in &texts {
        let mut text = String::from_utf8(read(&root.join(path))?).with_context(|| format!("{path} is no text"))?;
        if place.ends_with(".md") {
            text = documents.lead(Path::new(path), &text);
        }
        contents.add(place, text.into_bytes());
    }
    contents.add_program("watchpost", read(program)?);
    contents.add(MODULE, module);
    for module in [
        "watchpost-engine.wasm",
        "watchpost-fluent-bit.wasm",
        "watchpost-vector.wasm",
    ] {
        contents.add(module, read(&wasm::folder().join(module))?);
    }
    let sums = sum_lines(&contents);
    contents.add("SHA256SUMS", sums.into_bytes());
    Ok(contents)
}

/// As `sha256sum` prints and checks them.
fn sum_lines(files: &Tarball) -> String {
    files
        .files()
        .map(|(path, bytes)| format!("{}  {path}\n", sha256(bytes)))
        .collect()
}

/// The digest of bytes in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the compiler compiles for when nothing else is asked of it.
fn target() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(watchpost_guests::root())
        .output()
        .context("start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not say what it compiles for")
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        ensure!(
            entry.file_type()?.is_file(),
            "{} is no file, and only files are packed",
            entry.path().display()
        );
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

/// A path as it is printed.
fn shown(path: &Path) -> String {
    path.strip_prefix(watchpost_guests::root())
        .unwrap_or(path)
        .display()
        .to_string()
}
