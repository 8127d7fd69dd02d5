//! Archives, packages and package managers for tests of software modules.

// Each test program uses a part of this.
#![allow(dead_code)]

mod managers;

use super::transfer_rig::acs::*;
use super::transfer_rig::files::{FileServer, Served};
use super::transfer_rig::{Rig, config};
use cwmp_agent::transfer::archive::Writer;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use managers::{apk, apk_rig, ipk, opkg_rig, vendor_rig};

pub const UUID: &str = "01234567-89ab-5cde-8f01-23456789abcd";
pub const OTHER: &str = "11234567-89ab-5cde-8f01-23456789abcd";
/// The row of the environment `box`.
pub const BOX: &str = "Device.SoftwareModules.ExecEnv.1";

/// A router with an environment of plain archives, and `more` in agent.toml.
pub fn modules_rig(more: &str) -> Rig {
    rig(&format!("[[software_modules]]\nname = \"box\"\n{more}"))
}

/// A router with these environments. Its ACS knows what it is told.
pub fn rig(more: &str) -> Rig {
    let mut config = config();
    for name in ["DUStateChangeComplete", "AutonomousDUStateChangeComplete"] {
        config.methods.push(name.to_owned());
    }
    Rig::of(config, more, FileServer::start())
}

/// Serves these bytes; their URL.
pub fn serve(rig: &Rig, path: &str, bytes: &[u8]) -> String {
    rig.files.serve(path, Served::bytes(bytes));
    rig.files.url(path)
}

fn operation(kind: &str, fields: &[(&str, &str)]) -> String {
    let given = fields.iter().filter(|(_, value)| !value.is_empty());
    let fields: String = given.map(|(n, v)| format!("<{n}>{v}</{n}>")).collect();
    format!("<Operations xsi:type=\"cwmp:{kind}OpStruct\">{fields}</Operations>")
}

pub fn install(url: &str, uuid: &str, environment: &str) -> String {
    operation(
        "Install",
        &[
            ("URL", url),
            ("UUID", uuid),
            ("ExecutionEnvRef", environment),
        ],
    )
}

pub fn update(uuid: &str, version: &str, url: &str) -> String {
    operation(
        "Update",
        &[("UUID", uuid), ("Version", version), ("URL", url)],
    )
}

pub fn uninstall(uuid: &str, version: &str, environment: &str) -> String {
    operation(
        "Uninstall",
        &[
            ("UUID", uuid),
            ("Version", version),
            ("ExecutionEnvRef", environment),
        ],
    )
}

/// ChangeDUState.
pub fn change(operations: &[String], key: &str) -> Rpc {
    let operations = operations.concat();
    raw(
        "ChangeDUState",
        format!(
            "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\"><soap:Header>\
             <cwmp:ID soap:mustUnderstand=\"1\">du</cwmp:ID></soap:Header><soap:Body>\
             <cwmp:ChangeDUState>{operations}<CommandKey>{key}</CommandKey>\
             </cwmp:ChangeDUState></soap:Body></soap:Envelope>"
        ),
    )
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub uuid: String,
    pub unit: String,
    pub version: String,
    pub state: String,
    pub resolved: bool,
    pub executions: String,
    pub start: String,
    pub complete: String,
    pub code: u16,
    pub text: String,
    /// Of an autonomous one.
    pub performed: String,
}

/// What a session tells of software modules.
pub fn results(session: &SessionRecord) -> Vec<Outcome> {
    let mut messages = session.messages_named("DUStateChangeComplete");
    messages.extend(session.messages_named("AutonomousDUStateChangeComplete"));
    let mut all = Vec::new();
    for message in messages {
        let document = roxmltree::Document::parse(&message.raw).expect("XML");
        let nodes = document.descendants().filter(|n| n.has_tag_name("Results"));
        for node in nodes {
            let text = |name: &str| {
                let found = node.descendants().find(|n| n.has_tag_name(name));
                found.and_then(|n| n.text()).unwrap_or_default().to_owned()
            };
            all.push(Outcome {
                uuid: text("UUID"),
                unit: text("DeploymentUnitRef"),
                version: text("Version"),
                state: text("CurrentState"),
                resolved: matches!(text("Resolved").as_str(), "1" | "true"),
                executions: text("ExecutionUnitRefList"),
                start: text("StartTime"),
                complete: text("CompleteTime"),
                code: text("FaultCode").parse().unwrap_or(0),
                text: text("FaultString"),
                performed: text("OperationPerformed"),
            });
        }
    }
    all
}

/// Has the ACS ask for this, and waits for the session that tells how it ended.
pub fn changed(rig: &mut Rig, operations: &[String], key: &str) -> Vec<Outcome> {
    let asked = rig.ask(Script::of([change(operations, key)]));
    assert!(
        asked.message("ChangeDUStateResponse").is_some(),
        "{:?}",
        asked.names()
    );
    let mut session = rig.next();
    while session.events() == ["4 VALUE CHANGE"] {
        session = rig.next();
    }
    let mut events = session.events();
    events.retain(|event| *event != "4 VALUE CHANGE");
    assert_eq!(events, ["11 DU STATE CHANGE COMPLETE", "M ChangeDUState"]);
    let inform = session.inform.inform.as_ref().expect("an Inform");
    let method = inform.events.iter().find(|e| e.code == "M ChangeDUState");
    assert_eq!(method.expect("the event").command_key, key);
    let message = session.message("DUStateChangeComplete").expect("told");
    assert_eq!(super::transfer_rig::element(message, "CommandKey"), key);
    results(&session)
}

pub fn codes(results: &[Outcome]) -> Vec<u16> {
    results.iter().map(|result| result.code).collect()
}

/// A file's name that no other test has.
pub fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    let path = std::env::temp_dir().join(format!("cwmp-modules-{}-{n}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// An archive of these files: name, mode, content.
pub fn archive(files: &[(&str, u32, &str)]) -> Vec<u8> {
    let path = scratch();
    let mut writer = Writer::create(&path).expect("a file");
    for (name, mode, content) in files {
        writer
            .file(name, *mode, content.as_bytes())
            .expect("an entry");
    }
    writer.finish().expect("an archive");
    let bytes = std::fs::read(&path).expect("an archive");
    std::fs::remove_file(&path).expect("gone");
    bytes
}

pub fn manifest(name: &str, version: &str) -> String {
    format!(
        "name = \"{name}\"\nvendor = \"example.com\"\nversion = \"{version}\"\n\
         description = \"A test\"\n[[unit]]\nname = \"{name}\"\nstart = [\"bin/ctl\", \"start\"]\n\
         stop = [\"bin/ctl\", \"stop\"]\nstatus = [\"bin/ctl\", \"status\"]\n"
    )
}

/// A module whose unit leaves a mark while it runs.
pub fn module(name: &str, version: &str) -> Vec<u8> {
    let control = format!(
        "#!/bin/sh\nmark=$CWMP_ROOT/tmp/run-{name}\ncase $1 in\nstart) echo {version} >$mark ;;\n\
         stop) rm -f $mark ;;\nstatus) [ -e $mark ] ;;\nesac\n"
    );
    archive(&[
        ("module.toml", 0o644, &manifest(name, version)),
        ("bin/ctl", 0o755, &control),
    ])
}

/// A module whose unit is a process.
pub fn real_process(name: &str) -> Vec<u8> {
    let control = format!(
        "#!/bin/sh\npid=$CWMP_ROOT/tmp/pid-{name}\ncase $1 in\n\
         start) sleep 60 >/dev/null 2>&1 </dev/null & echo $! >$pid ;;\n\
         stop) kill $(cat $pid) && rm $pid ;;\nstatus) kill -0 $(cat $pid) 2>/dev/null ;;\nesac\n"
    );
    archive(&[
        ("module.toml", 0o644, &manifest(name, "1")),
        ("bin/ctl", 0o755, &control),
    ])
}

/// Whether the process of [`real_process`] runs.
pub fn process_runs(rig: &Rig, name: &str) -> bool {
    let Ok(pid) = rig.cpe.router.read(&format!("/tmp/pid-{name}")) else {
        return false;
    };
    Path::new("/proc").join(pid.trim()).exists()
}

/// Ends it behind the agent's back.
pub fn stop_process(rig: &Rig, name: &str) {
    if let Ok(pid) = rig.cpe.router.read(&format!("/tmp/pid-{name}")) {
        Command::new("kill").arg(pid.trim()).status().expect("kill");
        wait_for(|| !process_runs(rig, name));
    }
}

/// Archives that no one may unpack.
pub fn hostile() -> Vec<Vec<u8>> {
    let manifest = manifest("evil", "1");
    let good = module("evil", "1");
    let in_folder = |script: &str| {
        let folder = scratch();
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("module.toml"), &manifest).expect("a file");
        let made = Command::new("sh")
            .arg("-c")
            .arg(script)
            .current_dir(&folder)
            .status();
        assert!(made.expect("sh").success(), "{script}");
        let bytes = std::fs::read(folder.join("out.tgz")).expect("an archive");
        std::fs::remove_dir_all(&folder).expect("gone");
        bytes
    };
    vec![
        // Cut off.
        good[..good.len() - 20].to_vec(),
        in_folder(
            "echo x >f; tar czPf out.tgz module.toml --transform 's,^f$,../../../tmp/evil,' f",
        ),
        in_folder("echo x >f; tar czPf out.tgz module.toml --transform 's,^f$,/tmp/evil,' f"),
        in_folder("ln -s /etc l; tar czf out.tgz module.toml l"),
        in_folder("ln -s ../../.. l; tar czf out.tgz module.toml l"),
        in_folder("mkfifo p; tar czf out.tgz module.toml p"),
        // A bomb: more than may be unpacked.
        in_folder(
            "truncate -s 200M big; tar czSf out.tgz module.toml big 2>/dev/null || tar czf out.tgz module.toml big",
        ),
        in_folder("head -c 70000000 /dev/zero >big; tar czf out.tgz module.toml big"),
        // What the manifest names is not there, or it is none.
        archive(&[("module.toml", 0o644, &manifest)]),
        archive(&[("module.toml", 0o644, "name = 1")]),
        archive(&[(
            "module.toml",
            0o644,
            &manifest.replace("bin/ctl", "../../bin/sh"),
        )]),
    ]
}

/// Every file below a folder of the router.
pub fn files_below(rig: &Rig, folder: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![rig.cpe.router.path(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().expect("a type").is_dir() {
                true => folders.push(entry.path()),
                false => all.push(entry.path().display().to_string()),
            }
        }
    }
    all
}

pub fn wait_for(what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(Instant::now() < until, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}
