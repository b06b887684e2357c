//! Builds the plugins: the one place that knows how. The host's build script, the tests and `cargo xtask`
//! all come here, so that there is one artefact and one way to it.

mod command;
mod component;
mod package;
mod proxy_wasm;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use package::{BROWSER, BROWSER_FEATURES, BROWSER_FOLDER, BROWSER_TARGET, package, wasm_pack};

/// A plugin and what it takes to build it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plugin {
    /// The package is called `watchpost-<name>`.
    pub name: &'static str,
    /// Where the package is in the workspace.
    pub folder: &'static str,
    /// The target that it is compiled for.
    pub target: &'static str,
    /// What its host allows beyond plain wasm, as the compiler's `target-feature`.
    pub features: &'static str,
    /// How its host and it talk to each other.
    pub abi: Abi,
}

/// How a plugin and its host talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    /// The component model, with a world that has no imports.
    Component,
    /// Proxy-Wasm 0.2.1: a core module that imports the calls of the proxy and nothing else.
    ProxyWasm,
    /// A WASI command (preview 1): a core module with `_start` that imports `wasi_snapshot_preview1` and nothing else.
    Command,
    /// A WASI command (preview 2): a component that imports interfaces of WASI and nothing else.
    CommandComponent,
    /// A core module that imports nothing.
    Module,
}

/// The engine that the host carries inside.
pub const ENGINE: Plugin = Plugin {
    name: "engine",
    folder: "plugins/engine",
    target: "wasm32-unknown-unknown",
    features: "+simd128",
    abi: Abi::Component,
};

/// The module for Envoy.
pub const ENVOY: Plugin = Plugin {
    name: "envoy",
    folder: "plugins/envoy",
    target: "wasm32-unknown-unknown",
    features: "+simd128",
    abi: Abi::ProxyWasm,
};

/// The WASI command. Every runtime for commands has SIMD.
pub const CLI: Plugin = Plugin {
    name: "cli",
    folder: "plugins/cli",
    target: "wasm32-wasip1",
    features: "+simd128",
    abi: Abi::Command,
};

/// The transform for Vector, which has sockets.
pub const VECTOR: Plugin = Plugin {
    name: "vector",
    folder: "plugins/vector",
    target: "wasm32-wasip2",
    features: "+simd128",
    abi: Abi::CommandComponent,
};

/// The module for Fluent Bit, whose runtime has no SIMD.
pub const FLUENT_BIT: Plugin = Plugin {
    name: "fluent-bit",
    folder: "plugins/fluent-bit",
    target: "wasm32-unknown-unknown",
    features: "",
    abi: Abi::Module,
};

/// Parts of the detector alone, which are measured and never shipped: built as the engine is.
pub const KERNELS: Plugin = Plugin {
    name: "kernels",
    folder: "tests/guests/kernels",
    target: ENGINE.target,
    features: ENGINE.features,
    abi: Abi::Module,
};

/// Every plugin that is shipped.
pub const PLUGINS: [Plugin; 5] = [ENGINE, ENVOY, CLI, VECTOR, FLUENT_BIT];

/// What a build leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefacts {
    /// The core module as the compiler leaves it, `watchpost-<name>.core.wasm`.
    pub core: PathBuf,
    /// What its host loads, `watchpost-<name>.wasm`.
    pub module: PathBuf,
}

/// Why there is no artefact.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The compiler has no standard library for the target.
    #[error("the target {target} is not installed: run `rustup toolchain install` in {}", root.display())]
    Target {
        /// The target.
        target: &'static str,
        /// Where `rust-toolchain.toml` is, which names it.
        root: PathBuf,
    },
    /// The compiler said why on its standard error.
    #[error("the plugin {plugin} does not compile for {target}; the compiler's messages are above")]
    Compile {
        /// The plugin.
        plugin: &'static str,
        /// The target.
        target: &'static str,
    },
    /// The module is not one of a component.
    #[error("{} cannot be made a component: {reason}", module.display())]
    Component {
        /// The core module.
        module: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The plugin may import nothing but what its ABI names, so that it runs everywhere and can reach nothing else.
    #[error("{} imports {}, which its host does not have: look for what uses a clock, randomness or I/O", module.display(), imports.join(", "))]
    Imports {
        /// The module or component.
        module: PathBuf,
        /// What it imports.
        imports: Vec<String>,
    },
    /// A file or a program could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Builds a plugin and leaves its artefacts in `out_dir`; Cargo's own files are in a folder of their own, because
/// a Cargo that is called by a build script waits for ever for the folder of its caller.
///
/// # Errors
/// When the target is not installed, the plugin does not compile, or the result is not what its ABI asks for.
pub fn build(plugin: &Plugin, out_dir: &Path) -> Result<Artefacts, Error> {
    let root = root();
    let out_dir = std::path::absolute(out_dir).map_err(|source| io_error("resolve", out_dir, source))?;
    require_target(plugin, &root)?;
    let target_dir = cargo_dir(&out_dir, plugin.target, plugin.features);
    let status = cargo(&root)
        .args(["build", "--quiet", "--locked", "--profile", "guest"])
        .args(["--target", plugin.target])
        .args(["--package", &format!("watchpost-{}", plugin.name)])
        .env("CARGO_TARGET_DIR", &target_dir)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            rustflags(plugin.features, &root).join("\x1f"),
        )
        .status()
        .map_err(|source| Error::Io {
            what: "start cargo".to_owned(),
            source,
        })?;
    if !status.success() {
        return Err(Error::Compile {
            plugin: plugin.name,
            target: plugin.target,
        });
    }
    let built = target_dir.join(plugin.target).join("guest").join(match plugin.abi {
        // A program is called as it is, and a library as it is named in Rust.
        Abi::Command | Abi::CommandComponent => format!("watchpost-{}.wasm", plugin.name),
        Abi::Component | Abi::ProxyWasm | Abi::Module => format!("watchpost_{}.wasm", plugin.name.replace('-', "_")),
    });
    let core = out_dir.join(format!("watchpost-{}.core.wasm", plugin.name));
    fs::copy(&built, &core).map_err(|source| io_error("copy", &built, source))?;
    let module = out_dir.join(format!("watchpost-{}.wasm", plugin.name));
    let module = match plugin.abi {
        Abi::Component => component::encode(&core, &module)?,
        Abi::ProxyWasm => proxy_wasm::trim(&core, &module)?,
        Abi::Command => command::check(&core, &module)?,
        Abi::CommandComponent => command::check_component(&core, &module)?,
        Abi::Module => component::close(&core, &module)?,
    };
    Ok(Artefacts { core, module })
}

/// The files and folders that a plugin is made of, for a build script to watch.
pub fn inputs(plugin: &Plugin) -> Vec<PathBuf> {
    let root = root();
    [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "detector/Cargo.toml",
        "detector/src",
        "guests/src",
    ]
    .iter()
    .map(|path| root.join(path))
    .chain([root.join(plugin.folder)])
    .collect()
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR"));
    guests.parent().unwrap_or(guests).to_path_buf()
}

/// A Cargo that knows nothing of the one that called us: a build script, a test and `cargo clippy` pass on
/// flags, wrappers, features and profiles that are meant for another target. What says where crates come
/// from stays, and so does the job server, which keeps the two together within the user's `--jobs`.
pub fn cargo(root: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    cleaned(Path::new(&program), root)
}

/// Any program that starts a Cargo, likewise.
pub(crate) fn cleaned(program: &Path, root: &Path) -> Command {
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
    ];
    const FOREIGN: [&str; 8] = [
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "CLIPPY_ARGS",
        "TARGET",
        "HOST",
        "OUT_DIR",
    ];
    let mut command = Command::new(program);
    command.current_dir(root);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let cargos = text.starts_with("CARGO_") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if cargos || FOREIGN.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
}

/// The compiler's flags for a plugin.
fn rustflags(features: &str, root: &Path) -> Vec<String> {
    let mut flags = remapped(root);
    if !features.is_empty() {
        flags.push("-C".to_owned());
        flags.push(format!("target-feature={features}"));
    }
    flags
}

/// The compiler's flags for what leaves this machine. Its paths are replaced, so that the same sources give the same
/// bytes everywhere and a panic's message gives nobody's folders away.
pub fn remapped(root: &Path) -> Vec<String> {
    let mut flags = vec![format!("--remap-path-prefix={}=watchpost", root.display())];
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    flags
}

/// Where Cargo keeps what it builds plugins from: `guests` in the target directory, so that whoever wants a plugin finds
/// what another has compiled; of each target in a folder of its own, so that plugins for different ones can be built at
/// the same time, and of each set of features of it, since Cargo would build anew what it has built with others.
pub fn cargo_dir(out_dir: &Path, target: &str, features: &str) -> PathBuf {
    // Cargo marks its target directory as one that needs no backup, whatever it is called.
    let folder = out_dir.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let guests = folder.unwrap_or(out_dir).join("guests");
    guests.join(format!("{target}{features}"))
}

/// Without this check the compiler says that it "can't find crate for `core`".
fn require_target(plugin: &Plugin, root: &Path) -> Result<(), Error> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(rustc)
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", plugin.target])
        .output()
        .map_err(|source| Error::Io {
            what: "start rustc".to_owned(),
            source,
        })?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&folder).is_dir() {
        return Ok(());
    }
    Err(Error::Target {
        target: plugin.target,
        root: root.to_path_buf(),
    })
}

fn io_error(verb: &str, path: &Path, source: io::Error) -> Error {
    Error::Io {
        what: format!("{verb} {}", path.display()),
        source,
    }
}
