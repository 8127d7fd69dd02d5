//! The real program between an ACS and a file server, on a router whose file types leave marks.

// Each test program uses a part of this.
#![allow(dead_code)]

#[path = "../acs/mod.rs"]
pub mod acs;
#[path = "../cpe/mod.rs"]
pub mod cpe;
#[path = "../files/mod.rs"]
pub mod files;

use acs::*;
use cpe::{Cpe, PATIENCE};
use files::{FileServer, Served};

/// A type whose file is applied by a program.
pub const FILE: &str = "X 00D09E File";
pub const FIRMWARE: &str = "1 Firmware Upgrade Image";
pub const CONFIGURATION: &str = "3 Vendor Configuration File";
pub const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

/// An ACS of CWMP 1.2.
pub fn config() -> AcsConfig {
    AcsConfig::default().style(SoapStyle {
        minor: 2,
        ..SoapStyle::default()
    })
}

/// See the module.
pub struct Rig {
    pub acs: Acs,
    pub cpe: Cpe,
    pub files: FileServer,
    sessions: u32,
}

impl Rig {
    /// A router whose first session is over.
    pub fn new() -> Rig {
        Rig::with("", FileServer::start())
    }

    /// The same with more in agent.toml, and this file server.
    pub fn with(more: &str, files: FileServer) -> Rig {
        Rig::of(config(), more, files)
    }

    pub fn of(config: AcsConfig, more: &str, files: FileServer) -> Rig {
        let mut rig = Rig::stopped(config, more, files);
        rig.cpe.start();
        assert_eq!(rig.next().events(), ["0 BOOTSTRAP", "1 BOOT"]);
        rig
    }

    /// The same before its first session.
    pub fn stopped(config: AcsConfig, more: &str, files: FileServer) -> Rig {
        let acs = Acs::start(config).expect("an ACS");
        let cpe = Cpe::new(&acs.url());
        cpe.option("retry_min_wait_interval", "1");
        cpe.without_listener();
        cpe.without_ticks();
        // What is applied, in order; the file itself; how the program ends.
        // Nothing moves while /tmp/hold is there.
        let apply = "while [ -e \"$CWMP_ROOT/tmp/hold\" ]; do sleep 0.02; done\ncp \"$1\" \"$CWMP_ROOT/tmp/applied\" && cat \"$1\" >>\"$CWMP_ROOT/tmp/all-applied\"\nexit $(cat \"$CWMP_ROOT/tmp/apply-exit\" 2>/dev/null || echo 0)";
        cpe.script("use-file", apply);
        cpe.script(
            "flash",
            &format!("echo flash >>\"$CWMP_ROOT/tmp/flashed\"\n{apply}"),
        );
        // Good is what does not begin with BAD.
        cpe.script("look", "[ \"$(head -c 3 \"$1\")\" != BAD ]");
        cpe.script("make", "echo \"made $2\" >\"$1\"");
        let bin = |name: &str| {
            cpe.router
                .path(&format!("/bin/{name}"))
                .display()
                .to_string()
        };
        let types = format!(
            "[[download]]\nfile_type = {FILE:?}\ncheck = [{look:?}, \"{{file}}\"]\napply = [{use_file:?}, \"{{file}}\"]\n\
             [[download]]\nfile_type = {FIRMWARE:?}\ncheck = [{look:?}, \"{{file}}\"]\napply = [{flash:?}, \"{{file}}\"]\nreboots = true\n\
             [[upload]]\nfile_type = {FILE:?}\nproduce = [{make:?}, \"{{file}}\", \"this\"]\n",
            look = bin("look"),
            use_file = bin("use-file"),
            flash = bin("flash"),
            make = bin("make"),
        );
        cpe.agent_toml(&format!("{types}{more}"));
        Rig {
            acs,
            cpe,
            files,
            sessions: 0,
        }
    }

    /// The next session, once it is over.
    pub fn next(&mut self) -> SessionRecord {
        self.sessions += 1;
        let session = self.acs.wait_session(self.sessions, PATIENCE);
        session.unwrap_or_else(|| panic!("no session {}:\n{}", self.sessions, self.cpe.log()))
    }

    /// A session in which the ACS asks for this.
    pub fn ask(&mut self, script: Script) -> SessionRecord {
        self.acs.push_session(script);
        self.cpe.ok(&["inform"]);
        let session = self.next();
        assert_eq!(session.events(), ["6 CONNECTION REQUEST"]);
        session
    }

    /// A file at a path, and the Download of it.
    pub fn file(&self, path: &str, served: Served, key: &str) -> Transfer {
        self.files.serve(path, served);
        Transfer {
            key: key.to_owned(),
            file_type: FILE.to_owned(),
            url: self.files.url(path),
            ..Transfer::default()
        }
    }

    /// Has the ACS ask for it, and waits for the session that tells of its end.
    pub fn transferred(&mut self, rpc: Rpc) -> SessionRecord {
        let asked = self.ask(Script::of([rpc]));
        assert_eq!(asked.faults(), [0u16; 0]);
        self.next()
    }

    /// The same for a Download: the fault code it ends with.
    pub fn downloaded(&mut self, transfer: &Transfer) -> u16 {
        let session = self.transferred(download(transfer));
        assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
        assert!(session.complete());
        let told = told(&session);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].key, transfer.key);
        told[0].code
    }

    /// Nothing of any transfer is left, on the disk or in what is owed.
    pub fn nothing_is_left(&self) {
        let status = self.cpe.status();
        assert_eq!(status["transfers"], serde_json::json!([]));
        assert_eq!(status["pending_events"], serde_json::json!([]));
        assert!(!self.cpe.exists("/tmp/cwmp-agent"), "the download folder");
    }

    /// The box boots: what ran is gone, and so is what is in memory.
    pub fn reboot(&mut self) {
        self.cpe.kill();
        self.cpe.new_boot();
        let _ = std::fs::remove_dir_all(self.cpe.router.path("/tmp/cwmp-agent"));
        self.cpe.start();
    }

    /// Ends all of it; the ACS has nothing to complain of.
    pub fn finish(mut self) {
        assert!(self.cpe.stop().success());
        self.acs.finish().expect("no violation");
    }
}

/// A TransferComplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub key: String,
    pub code: u16,
    pub text: String,
    pub start: String,
    pub complete: String,
}

/// All TransferCompletes of a session.
pub fn told(session: &SessionRecord) -> Vec<Told> {
    let messages = session.messages_named("TransferComplete");
    messages.into_iter().map(read).collect()
}

fn read(message: &CpeMessage) -> Told {
    Told {
        key: element(message, "CommandKey"),
        code: element(message, "FaultCode").parse().expect("a code"),
        text: element(message, "FaultString"),
        start: element(message, "StartTime"),
        complete: element(message, "CompleteTime"),
    }
}

/// The text of an element.
pub fn element(message: &CpeMessage, name: &str) -> String {
    let document = roxmltree::Document::parse(&message.raw).expect("XML");
    let found = document.descendants().find(|n| n.has_tag_name(name));
    let found = found.unwrap_or_else(|| panic!("no {name} in {}", message.raw));
    found.text().unwrap_or_default().to_owned()
}

/// The entries of a list of transfers: key and state.
pub fn queued(message: &CpeMessage) -> Vec<(String, String)> {
    let document = roxmltree::Document::parse(&message.raw).expect("XML");
    let text = |node: &roxmltree::Node<'_, '_>, name: &str| {
        let child = node.children().find(|c| c.has_tag_name(name));
        child.and_then(|c| c.text()).unwrap_or_default().to_owned()
    };
    let entries = document.descendants().filter(|n| {
        n.has_tag_name("QueuedTransferStruct") || n.has_tag_name("AllQueuedTransferStruct")
    });
    entries
        .map(|e| (text(&e, "CommandKey"), text(&e, "State")))
        .collect()
}
