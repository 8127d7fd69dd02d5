//! `cwmp-agent try`: one provisioning story, told as it happens.
//!
//! A built-in ACS on the loopback interface and the real agent, unchanged, on a
//! throw-away copy of a sample router. Nothing here is part of the agent; what is shown
//! is what the ACS saw on the wire and what stands in the router's files afterwards.

#[path = "../../../tests/acs/mod.rs"]
mod acs;
mod diff;
mod page;
#[path = "../../../tests/router/mod.rs"]
mod router;

use super::{DONE, FAILED};
use crate::agent::Running;
use crate::agent::setup::Setup;
use acs::{
    Acs, AcsConfig, AcsEvent, CpeKind, CpeMessage, Script, Step, add_object, get_names,
    get_rpc_methods, get_values, knock, reboot, set_values,
};
use page::Page;
use router::Router;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// No single wait of the story is longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The files whose changes are shown.
const SHOWN: [&str; 3] = [
    "/etc/config/wireless",
    "/etc/config/system",
    "/etc/config/firewall",
];

/// Tells the story; the exit status of the command.
pub fn tell() -> u8 {
    let page = Page::new();
    let started = Instant::now();
    match story(&page) {
        Ok(()) => {
            let took = started.elapsed();
            page.end(
                true,
                &format!(
                    "The end, after {}.{:01} s. Nothing is left behind.",
                    took.as_secs(),
                    took.subsec_millis() / 100
                ),
            );
            DONE
        }
        Err(why) => {
            page.end(false, &format!("The story broke off: {why}"));
            FAILED
        }
    }
}

/// The listening side of the story: what the ACS saw, narrated.
struct Listener<'a> {
    page: &'a Page,
    events: Receiver<AcsEvent>,
    interrupted: Arc<AtomicBool>,
}

fn story(page: &Page) -> Result<(), String> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).map_err(text)?;
    }
    let (sender, events) = channel();
    let listener = Listener {
        page,
        events,
        interrupted,
    };

    page.chapter("A router is taken out of its box");
    let router = Router::new().map_err(text)?;
    let acs = Acs::start(
        AcsConfig::default()
            .session(first_session())
            .session(Script::of([reboot("try-reboot")]))
            .session(Script::of([get_values(&[
                "Device.DeviceInfo.SoftwareVersion",
                "Device.DeviceInfo.UpTime",
            ])]))
            .events(sender),
    )
    .map_err(text)?;
    prepare(&router, &acs.url())?;
    let before = SHOWN.map(|file| router.read(file).unwrap_or_default());
    page.aside(&format!("its files: {}", router.root().display()));
    page.aside(&format!("its ACS:   {}", acs.url()));

    let agent = start(&router)?;
    page.chapter("First contact: the ACS reads the router and sets it up");
    let record = listener.session(1, &acs)?;
    let url = connection_request_url(&record).ok_or("the Inform has no connection request URL")?;
    wait_for(
        &router.path("/tmp/reloaded-firewall"),
        &listener.interrupted,
    )?;
    page.chapter("What that changed on the router");
    for (file, before) in SHOWN.iter().zip(&before) {
        let after = router.read(file).map_err(text)?;
        page.change(file, &diff::lines(before, &after));
    }
    page.aside("services told to reload, once each: firewall, system, wireless");

    page.chapter("A day later: the ACS knocks");
    page.acs(&format!("GET {url} (digest authentication)"));
    let status = knock(&url, "cpe", "sample-only").map_err(text)?;
    page.cpe(&format!("HTTP {status}, and calls back at once"));
    if status != 200 {
        return Err("the connection request was refused".to_owned());
    }
    listener.session(2, &acs)?;
    wait_for(&router.path("/tmp/rebooted"), &listener.interrupted)?;
    page.aside("the session has ended; only now the router reboots");
    agent.stop().map_err(text)?;

    page.chapter("The router comes back");
    router
        .write(
            "/proc/sys/kernel/random/boot_id",
            "5d1f8a4e-2b6c-4c1e-9f3a-7b0c6d2e8a91\n",
        )
        .map_err(text)?;
    let agent = start(&router)?;
    listener.session(3, &acs)?;
    agent.stop().map_err(text)?;
    acs.finish().map_err(|e| format!("{e:?}"))?;
    Ok(())
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}

/// Points the router at the ACS; its commands leave marks instead of acting.
fn prepare(router: &Router, url: &str) -> Result<(), String> {
    let touch = ["/bin/touch", "/usr/bin/touch"]
        .into_iter()
        .find(|p| Path::new(p).exists())
        .ok_or("this system has no touch program")?;
    let settings = router.read("/etc/config/cwmp").map_err(text)?;
    let settings = settings.replace("option url ''", &format!("option url '{url}'"));
    router.write("/etc/config/cwmp", &settings).map_err(text)?;
    let mark = |name: &str| {
        let path = router.path(&format!("/tmp/{name}"));
        format!("[{touch:?}, {:?}]", path.display().to_string())
    };
    let config = format!(
        "[platform]\nreboot = {}\napply_config = {}\n",
        mark("rebooted"),
        mark("reloaded-{package}")
    );
    router
        .write("/etc/cwmp-agent/agent.toml", &config)
        .map_err(text)
}

fn start(router: &Router) -> Result<Running, String> {
    let setup = Setup::open(router.root(), None).map_err(text)?;
    Running::start(setup).map_err(text)
}

/// Waits until a file appears.
fn wait_for(path: &Path, interrupted: &AtomicBool) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    while !path.exists() {
        if interrupted.load(Ordering::SeqCst) {
            return Err("interrupted".to_owned());
        }
        if Instant::now() > until {
            return Err(format!("{} never came", path.display()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn first_session() -> Script {
    Script::of([
        get_rpc_methods(),
        get_names("Device.", false),
        get_values(&["Device."]),
        set_values(
            &[
                ("Device.WiFi.SSID.1.SSID", "string", "Café \"Zum Löwen\""),
                ("Device.Time.NTPServer1", "string", "ntp.example.net"),
            ],
            "try-1",
        ),
    ])
    .then_with(add_object("Device.NAT.PortMapping.", "try-2"), |reply| {
        let number = reply
            .args
            .iter()
            .find(|(name, _)| name == "InstanceNumber")
            .map_or("0", |(_, number)| number.as_str());
        let row = format!("Device.NAT.PortMapping.{number}.");
        let path = |name: &str| format!("{row}{name}");
        let values = [
            (path("ExternalPort"), "unsignedInt", "4443"),
            (path("InternalPort"), "unsignedInt", "443"),
            (path("Protocol"), "string", "TCP"),
            (path("InternalClient"), "string", "192.168.1.20"),
            (path("Description"), "string", "web server"),
            (path("Enable"), "boolean", "1"),
        ];
        let values: Vec<(&str, &str, &str)> = values
            .iter()
            .map(|(path, kind, value)| (path.as_str(), *kind, *value))
            .collect();
        vec![Step::Send(set_values(&values, "try-3"))]
    })
    .then(set_values(
        &[
            ("Device.WiFi.SSID.1.SSID", "string", "never to be seen"),
            (
                "Device.ManagementServer.PeriodicInformInterval",
                "unsignedInt",
                "0",
            ),
            ("Device.DeviceInfo.UpTime", "unsignedInt", "0"),
            ("Device.Time.Enable", "string", "yes"),
            ("Device.Time.NTPServer9", "string", "x"),
        ],
        "try-4",
    ))
    .then(get_values(&[
        "Device.WiFi.SSID.1.SSID",
        "Device.ManagementServer.ParameterKey",
    ]))
}

fn connection_request_url(inform: &CpeMessage) -> Option<String> {
    inform
        .values
        .iter()
        .find(|v| v.name == "Device.ManagementServer.ConnectionRequestURL")
        .map(|v| v.value.clone())
        .filter(|url| !url.is_empty())
}

impl Listener<'_> {
    /// Narrates until session `number` has ended well; gives its Inform.
    fn session(&self, number: u32, acs: &Acs) -> Result<CpeMessage, String> {
        let mut inform = None;
        let until = Instant::now() + PATIENCE;
        loop {
            if self.interrupted.load(Ordering::SeqCst) {
                return Err("interrupted".to_owned());
            }
            match self.events.recv_timeout(Duration::from_millis(200)) {
                Ok(AcsEvent::FromCpe { message, .. }) => {
                    self.tell_of_cpe(&message);
                    if message.inform.is_some() {
                        inform = Some(*message);
                    }
                }
                Ok(AcsEvent::ToCpe { name, xml, .. }) => self.to_cpe(&name, &xml),
                Ok(AcsEvent::SessionEnded { session, .. }) if session == number => break,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
                Err(_) => return Err(format!("session {number} never ended")),
            }
        }
        let complete = acs
            .wait_session(number, PATIENCE)
            .is_some_and(|s| s.complete());
        match inform {
            Some(inform) if complete => Ok(inform),
            _ => Err(format!("session {number} was not completed")),
        }
    }

    fn tell_of_cpe(&self, message: &CpeMessage) {
        let page = self.page;
        if let Some(inform) = &message.inform {
            let events: Vec<String> = inform
                .events
                .iter()
                .map(|e| match e.command_key.as_str() {
                    "" => e.code.clone(),
                    key => format!("{} ({key})", e.code),
                })
                .collect();
            page.cpe(&format!("Inform: {}", events.join(", ")));
            page.detail(&format!(
                "{} {} {}",
                inform.manufacturer, inform.product_class, inform.serial_number
            ));
            return;
        }
        if let Some(fault) = &message.fault {
            page.cpe(&format!("fault {}", fault.code));
            for f in &fault.parameters {
                page.refusal(&format!("{} {}: {}", f.code, f.path, f.text));
            }
            return;
        }
        match (&message.kind, message.name.as_str()) {
            (CpeKind::Empty, _) => page.cpe("(nothing more from me)"),
            (_, "GetParameterNamesResponse") => {
                let writable = message.infos.iter().filter(|i| i.writable).count();
                page.cpe(&format!(
                    "{} names, {writable} of them writable",
                    message.infos.len()
                ));
            }
            (_, "GetParameterValuesResponse") if message.values.len() > 4 => {
                page.cpe(&format!("{} values, among them", message.values.len()));
                for end in [
                    "DeviceInfo.ModelName",
                    "WiFi.SSID.1.SSID",
                    "Hosts.Host.1.HostName",
                ] {
                    let value = message.values.iter().find(|v| v.name.ends_with(end));
                    if let Some(v) = value {
                        page.detail(&format!("{} = {}", v.name, v.value));
                    }
                }
            }
            (_, "GetParameterValuesResponse") => {
                page.cpe("values");
                for v in &message.values {
                    page.detail(&format!("{} = {}", v.name, v.value));
                }
            }
            (_, "GetRPCMethodsResponse") => {
                page.cpe(&format!(
                    "{} methods: {}",
                    message.methods.len(),
                    message.methods.join(" ")
                ));
            }
            (_, name) => {
                let args: Vec<String> = message
                    .args
                    .iter()
                    .map(|(name, value)| format!("{name} {value}"))
                    .collect();
                page.cpe(&format!("{name} {}", args.join(", ")));
            }
        }
    }

    fn to_cpe(&self, name: &str, xml: &str) {
        let page = self.page;
        match name {
            "InformResponse" => {}
            "end" => page.acs("(nothing more from me either)"),
            "SetParameterValues" => {
                page.acs("SetParameterValues, all or none:");
                for (path, value) in pairs(xml) {
                    page.detail(&format!("{path} = {value}"));
                }
            }
            _ => page.acs(name),
        }
    }
}

/// The Name and Value texts of a SetParameterValues of our own making.
fn pairs(xml: &str) -> Vec<(String, String)> {
    let Ok(document) = roxmltree::Document::parse(xml) else {
        return Vec::new();
    };
    let child = |node: roxmltree::Node<'_, '_>, name: &str| {
        node.children()
            .find(|c| c.tag_name().name() == name)
            .and_then(|c| c.text())
            .unwrap_or("")
            .to_owned()
    };
    document
        .descendants()
        .filter(|n| n.tag_name().name() == "ParameterValueStruct")
        .map(|n| (child(n, "Name"), child(n, "Value")))
        .collect()
}
