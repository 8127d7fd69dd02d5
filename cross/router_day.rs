//! A router's day for a program that was built for another processor: a session over HTTPS with
//! digest, a change that the ACS makes found in the UCI file and read back, now and in 2039.
//!
//! `cross/smoke.sh` runs it on this machine: ACS and sample router are here, the agent is a
//! process of its own.
//!
//! ```text
//! router_day [--year YEAR] PROGRAM [ARGUMENT…]
//! ```
//! runs `PROGRAM ARGUMENT… run --once --root …`. With `--year` the program's clock stands in
//! that year (whoever starts this sees to it), and so do the dates of the router's files.

#[path = "../tests/acs/mod.rs"]
mod acs;
#[allow(dead_code)] // Tests use more of it.
#[path = "../tests/net_support/pki.rs"]
mod pki;
#[path = "../tests/router/mod.rs"]
mod router;

use acs::{Acs, AcsConfig, Algorithm, Auth, DigestAuth, Script, get_values, set_values};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use pki::Authority;
use router::Router;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const USER: &str = "router-7";
const PASSWORD: &str = "s3cret";
const NTP: &str = "Device.Time.NTPServer1";
const SSID: &str = "Device.WiFi.SSID.1.SSID";
/// A session is over long before, also under an emulator on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut year = None;
    if arguments.first().is_some_and(|a| a == "--year") {
        year = Some(arguments.get(1).ok_or("--year YEAR")?.parse::<i32>()?);
        arguments.drain(..2);
    }
    if arguments.is_empty() {
        return Err("router_day [--year YEAR] PROGRAM [ARGUMENT…]".into());
    }
    day(&arguments, year)
}

fn day(program: &[String], year: Option<i32>) -> Result<()> {
    let authority = Authority::new("ACS");
    let leaf = authority.leaf(&["127.0.0.1"], 2020, 2090);
    let account = DigestAuth {
        algorithms: vec![Some(Algorithm::Sha256), Some(Algorithm::Md5)],
        ..DigestAuth::for_account(USER, PASSWORD)
    };
    let name = "Caf\u{e9} \"Zum L\u{f6}wen\" it's";
    let config = AcsConfig::default()
        .tls(leaf.server(rustls::ALL_VERSIONS))
        .auth(Auth::Digest(account))
        .session(Script::of([
            get_values(&["Device."]),
            set_values(
                &[(SSID, "string", name), (NTP, "string", "ntp.example")],
                "day",
            ),
            get_values(&[SSID, NTP, "Device.ManagementServer.ParameterKey"]),
        ]));
    let acs = Acs::start(config)?;
    let router = Router::new()?;
    prepare(&router, &acs.url(), &authority.pem())?;
    if let Some(year) = year {
        dated(
            router.root(),
            rcgen::date_time_ymd(year, 1, 1).unix_timestamp(),
        )?;
    }

    let run = |arguments: &[&str]| -> Result<Output> {
        let (first, rest) = program.split_first().ok_or("no program")?;
        let mut command = Command::new(first);
        command.args(rest).args(arguments);
        command.arg("--root").arg(router.root());
        Ok(command.stdin(Stdio::null()).output()?)
    };
    let out = run(&["run", "--once"])?;
    if !out.status.success() {
        let log = String::from_utf8_lossy(&out.stderr).into_owned();
        return Err(format!("run --once ended with {}:\n{log}", out.status).into());
    }
    let session = acs.wait_session(1, PATIENCE).ok_or("no session came")?;
    if session.events() != ["0 BOOTSTRAP", "1 BOOT"] || !session.faults().is_empty() {
        return Err(format!("{:?}, faults {:?}", session.events(), session.faults()).into());
    }
    let inform = session.inform.inform.as_ref().ok_or("no Inform")?;
    if year.is_some_and(|year| !inform.current_time.starts_with(&year.to_string())) {
        return Err(format!("the program's clock says {}", inform.current_time).into());
    }
    let answers = session.messages_named("GetParameterValuesResponse");
    let tree = answers.first().map_or(0, |a| a.values.len());
    let read = answers.get(1).and_then(|a| a.value(SSID));
    if tree < 500 || read != Some(name) {
        return Err(format!("{tree} parameters, and {SSID} is {read:?}").into());
    }
    acs.finish().map_err(|e| e.to_string())?;

    // As libuci finds it, and as the program does when it is started anew.
    let wireless = router.read("/etc/config/wireless")?;
    let line = "option ssid 'Caf\u{e9} \"Zum L\u{f6}wen\" it'\\''s'";
    if !wireless.contains(line) || !router.read("/etc/config/system")?.contains("'ntp.example'") {
        return Err(format!("{line} is not in the file:\n{wireless}").into());
    }
    let out = run(&["get", NTP])?;
    if String::from_utf8_lossy(&out.stdout) != format!("{NTP}=ntp.example\n") {
        return Err(format!("get says {out:?}").into());
    }
    println!(
        "at {}: {tree} parameters over HTTPS with digest, a change found in its file and read back",
        inform.current_time
    );
    Ok(())
}

/// Points the router at the ACS; nothing is reloaded.
fn prepare(router: &Router, url: &str, certificate: &str) -> Result<()> {
    router.write("/etc/acs.pem", certificate)?;
    let settings = router.read("/etc/config/cwmp")?;
    let settings = settings.replacen(
        "option url ''\n\toption username ''\n\toption password ''",
        &format!(
            "option url '{url}'\n\toption username '{USER}'\n\toption password '{PASSWORD}'\n\t\
             option ca_file '/etc/acs.pem'\n\toption require_tls '1'"
        ),
        1,
    );
    router.write("/etc/config/cwmp", &settings)?;
    router.write(
        "/etc/cwmp-agent/agent.toml",
        "[limits]\nfirst_contact_spread = 0\n[platform]\napply_config = [\"/bin/true\", \"{package}\"]\n",
    )?;
    Ok(())
}

/// Gives everything below a folder this date.
fn dated(folder: &Path, moment: i64) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            dated(&path, moment)?;
        }
        let at = TimeSpec::new(moment, 0);
        utimensat(
            nix::fcntl::AT_FDCWD,
            &path,
            &at,
            &at,
            UtimensatFlags::NoFollowSymlink,
        )?;
    }
    Ok(())
}
