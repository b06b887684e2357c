//! What `cargo xtask release` packs, as those meet it who download it: the image is one that others can load, the
//! archive is complete, Envoy takes its examples, and its README leads to a first verdict.
//!
//! `WATCHPOST_RELEASE` names the folder of the release and `WATCHPOST_ENVOY` an Envoy; `cargo xtask test` sets both.
//! Without them the tests fail; what needs an Envoy is in `real_envoy`, so that it can be left out by name.

#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

#[test]
fn the_image_holds_the_module() {
    let release = Release::there();
    let layout = release.layout();
    let mut used = BTreeSet::from(["index.json".to_owned(), "oci-layout".to_owned()]);
    let mut blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let path = format!("blobs/sha256/{digest}");
        let bytes = fs::read(layout.join(&path)).unwrap();
        assert_eq!(descriptor["size"].as_u64().unwrap(), bytes.len() as u64, "{descriptor}");
        assert_eq!(sha256(&bytes), digest);
        used.insert(path);
        bytes
    };
    let version: Value = serde_json::from_slice(&fs::read(layout.join("oci-layout")).unwrap()).unwrap();
    assert_eq!(version["imageLayoutVersion"], "1.0.0");
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let descriptor = &index["manifests"][0];
    assert_eq!(descriptor["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(
        descriptor["annotations"]["org.opencontainers.image.ref.name"],
        env!("CARGO_PKG_VERSION")
    );
    let manifest: Value = serde_json::from_slice(&blob(descriptor)).unwrap();
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
    let config = &manifest["config"];
    assert_eq!(config["mediaType"], "application/vnd.oci.image.config.v1+json");
    let config: Value = serde_json::from_slice(&blob(config)).unwrap();
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let mut tar = Vec::new();
    GzDecoder::new(&*blob(layer)).read_to_end(&mut tar).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256(&tar)));
    let module = fs::read(release.unpack().path().join("watchpost-envoy.wasm")).unwrap();
    assert_eq!(files(&tar), BTreeMap::from([("plugin.wasm".to_owned(), module)]));

    // The same in one file, and nothing beside what is referred to.
    let packed = files(&fs::read(release.ends_in(".oci.tar")).unwrap());
    assert_eq!(packed.keys().cloned().collect::<BTreeSet<_>>(), used);
    for (path, bytes) in packed {
        assert_eq!(fs::read(layout.join(&path)).unwrap(), bytes, "{path}");
    }
}

#[test]
fn the_archive_is_complete() {
    let release = Release::there();
    for line in fs::read_to_string(release.folder.join("SHA256SUMS")).unwrap().lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sha256(&fs::read(release.folder.join(name)).unwrap()), sum, "{name}");
    }
    let unpacked = release.unpack();
    let folder = unpacked.path();
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let summed: BTreeSet<&str> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    for name in [
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "docs/configuration.md",
        "docs/verdicts.md",
        "engine.wit",
        "examples/access-logger.yaml",
        "examples/filter.yaml",
        "examples/istio-wasmplugin.yaml",
        "examples/service.yaml",
        "vector/README.md",
        "vector/examples/enrichment.yaml",
        "vector/examples/inline.yaml",
        "vector/examples/tee.yaml",
        "watchpost",
        "watchpost-engine.wasm",
        "watchpost-fluent-bit.wasm",
        "watchpost-envoy.wasm",
        "watchpost-vector.wasm",
    ] {
        assert!(summed.contains(name), "{name} is missing in\n{sums}");
    }
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sha256(&fs::read(folder.join(name)).unwrap()), sum, "{name}");
    }
    let output = Command::new(folder.join("watchpost"))
        .arg("--version")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    assert_eq!(printed.trim(), format!("watchpost {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn documents_of_the_archive_link_to_what_is_there() {
    let release = Release::there();
    let unpacked = release.unpack();
    let mut links = 0;
    let folders = [unpacked.path().to_owned(), unpacked.path().join("docs")];
    for path in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = path.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|after| Some(after.split_once(')')?.0))
        {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                links += 1;
                let target = path.parent().unwrap().join(target);
                assert!(target.exists(), "{}: {link}", path.display());
            }
        }
    }
    assert!(links > 10, "only {links} links");
}

/// There is no Istio here. What is checked is that the example has fields that Istio 1.27 knows with values that it
/// allows, and that the module takes its configuration in the form in which Istio hands it over.
#[test]
fn the_example_for_istio_is_a_wasm_plugin() {
    const FIELDS: [&str; 16] = [
        "failStrategy",
        "imagePullPolicy",
        "imagePullSecret",
        "match",
        "phase",
        "pluginConfig",
        "pluginName",
        "priority",
        "selector",
        "sha256",
        "targetRef",
        "targetRefs",
        "type",
        "url",
        "verificationKey",
        "vmConfig",
    ];
    let release = Release::there();
    let plugin = istio_plugin(&release);
    assert_eq!(plugin["apiVersion"], "extensions.istio.io/v1alpha1");
    let spec = plugin["spec"].as_object().unwrap();
    let unknown: Vec<&String> = spec.keys().filter(|field| !FIELDS.contains(&&***field)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"].contains(&spec["failStrategy"].as_str().unwrap()));
    assert!(["AUTHN", "AUTHZ", "STATS"].contains(&spec["phase"].as_str().unwrap()));
    assert!(["IfNotPresent", "Always"].contains(&spec["imagePullPolicy"].as_str().unwrap()));
    let version = concat!(":", env!("CARGO_PKG_VERSION"));
    assert!(spec["url"].as_str().unwrap().ends_with(version), "{}", spec["url"]);
}

/// The `WasmPlugin` of the example for Istio.
fn istio_plugin(release: &Release) -> Value {
    let unpacked = release.unpack();
    let text = fs::read_to_string(unpacked.path().join("examples/istio-wasmplugin.yaml")).unwrap();
    let documents: Vec<Value> = serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect();
    let kinds: Vec<&str> = documents
        .iter()
        .filter_map(|document| document["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["WasmPlugin", "Telemetry"]);
    documents[0].clone()
}

/// What needs an Envoy.
mod real_envoy {
    use super::*;

    #[test]
    fn envoy_takes_the_examples() {
        let release = Release::there();
        let desk = Desk::new(&release);
        for example in ["filter", "access-logger", "service"] {
            let (ended_well, printed) = desk.run(&format!("envoy --mode validate -c examples/{example}.yaml"));
            assert!(ended_well, "{example}: {printed}");
            assert!(printed.contains("OK"), "{example}: {printed}");
        }
    }

    #[test]
    fn envoy_takes_the_configuration_as_istio_hands_it_over() {
        let release = Release::there();
        let spec = istio_plugin(&release)["spec"].clone();
        let desk = Desk::new(&release);
        let filter = desk.folder.path().join("examples/filter.yaml");
        let own = r#"{ "envoy": { "service": "shop" } }"#;
        let text = fs::read_to_string(&filter).unwrap();
        assert!(text.contains(own), "{text}");
        fs::write(&filter, text.replace(own, &spec["pluginConfig"].to_string())).unwrap();
        let (ended_well, printed) = desk.run("envoy --mode validate -c examples/filter.yaml");
        assert!(ended_well, "{printed}");
    }

    /// Every command of the README, as a reader would paste them one after the other.
    #[test]
    fn the_readme_leads_to_a_verdict() {
        let release = Release::there();
        let desk = Desk::new(&release);
        let text = fs::read_to_string(desk.folder.path().join("README.md")).unwrap();
        let commands: String = text
            .split("```sh\n")
            .skip(1)
            .map(|after| after.split_once("```").unwrap().0)
            .map(|block| format!("{block}[ $? = 0 ] || exit 1\n"))
            .collect();
        let started = Instant::now();
        let (ended_well, printed) = desk.run(&commands);
        assert!(ended_well, "{printed}");
        println!("the commands of the README took {:?}", started.elapsed());
        let verdict = printed
            .lines()
            .find(|line| line.contains(r#""phase":"onset""#))
            .unwrap_or_else(|| panic!("there is no verdict in {printed}"));
        let verdict: Value = serde_json::from_str(&verdict[verdict.find('{').unwrap()..]).unwrap();
        assert_eq!(verdict["kind"], "errors", "{verdict}");
        assert_eq!(verdict["subject"]["route"], "checkout", "{verdict}");
        assert_eq!(verdict["subject"]["upstream"], "orders", "{verdict}");
        let counted = printed.lines().find(|line| line.starts_with("watchpost_alarms{"));
        let counted = counted.unwrap_or_else(|| panic!("there is no counter in {printed}"));
        assert!(counted.contains(r#"route="checkout""#), "{counted}");
        assert!(printed.contains("configuration 'warm.yaml' OK"), "{printed}");
    }
}

/// What was packed.
struct Release {
    folder: PathBuf,
}

impl Release {
    fn there() -> Release {
        let folder = env::var_os("WATCHPOST_RELEASE").map(PathBuf::from);
        Release {
            folder: folder
                .expect("WATCHPOST_RELEASE names the folder of a release; `cargo xtask test release` makes it"),
        }
    }

    fn layout(&self) -> PathBuf {
        self.ends_in(".oci")
    }

    /// The one file or folder whose name ends so.
    fn ends_in(&self, end: &str) -> PathBuf {
        let mut found = fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(end));
        let path = found.next().unwrap_or_else(|| panic!("nothing ends in {end}"));
        assert_eq!(found.next(), None);
        path
    }

    /// The archive, unpacked; its single folder is left out.
    fn unpack(&self) -> TempDir {
        let path = self.ends_in(".tar.gz");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = Path::new(name.strip_suffix(".tar.gz").unwrap());
        let folder = tempfile::tempdir().unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(&path).unwrap()));
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().strip_prefix(expected).unwrap().to_owned();
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            entry.unpack(path).unwrap();
        }
        folder
    }
}

/// Where commands are run: an unpacked archive, with Envoy on the path, and ports that nobody else has.
struct Desk {
    folder: TempDir,
    programs: TempDir,
    ports: [(&'static str, String); 3],
}

impl Desk {
    /// Longer than everything in the README takes.
    const PATIENCE: Duration = Duration::from_secs(420);

    fn new(release: &Release) -> Desk {
        let envoy = env::var_os("WATCHPOST_ENVOY");
        let envoy = envoy.expect("WATCHPOST_ENVOY names an Envoy; `cargo xtask test release` installs it");
        let programs = tempfile::tempdir().unwrap();
        let program = programs.path().join("envoy");
        let line = format!(
            "#!/bin/sh\nexec '{}' --disable-hot-restart \"$@\"\n",
            envoy.to_string_lossy()
        );
        fs::write(&program, line).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        // Held all at once, so that they are three.
        let free = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [front, shop, admin] = free.map(|free| free.local_addr().unwrap().port().to_string());
        let desk = Desk {
            folder: release.unpack(),
            programs,
            ports: [("10000", front), ("10001", shop), ("9901", admin)],
        };
        for entry in fs::read_dir(desk.folder.path().join("examples")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, desk.moved(&text)).unwrap();
        }
        desk
    }

    /// A text with the ports of this desk in the place of those of the examples.
    fn moved(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (from, to)| {
            text.replace(&format!("port_value: {from}"), &format!("port_value: {to}"))
                .replace(&format!("127.0.0.1:{from}"), &format!("127.0.0.1:{to}"))
        })
    }

    /// Runs commands in a shell; whether it ended well, and what was printed.
    fn run(&self, commands: &str) -> (bool, String) {
        let printed = self.programs.path().join("printed");
        let output = fs::File::create(&printed).unwrap();
        let path = format!(
            "{}:{}",
            self.programs.path().display(),
            env::var("PATH").unwrap_or_default()
        );
        let mut shell = Command::new("sh")
            .args(["-c", &self.moved(commands)])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap();
        let started = Instant::now();
        let ended_well = loop {
            if let Some(status) = shell.try_wait().unwrap() {
                break status.success();
            }
            if started.elapsed() > Self::PATIENCE {
                break false;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        // What was started in the background goes, however the commands ended.
        let group = format!("-{}", shell.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = shell.wait();
        let printed = String::from_utf8_lossy(&fs::read(printed).unwrap()).into_owned();
        (ended_well, printed)
    }
}

/// The files of a tar archive.
fn files(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), bytes);
    }
    files
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
