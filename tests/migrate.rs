//! `cwmp-agent migrate`: files as easycwmp and icwmp have them become settings of this agent,
//! all or none.

mod acs;
mod cpe;

use acs::*;
use cpe::Cpe;
use cwmp_agent::uci::Package;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

const SETTINGS: &str = "/etc/config/cwmp";
const THEIRS: &str = "/etc/config/easycwmp";
const SHIPPED: &str = include_str!("../init/openwrt/etc/config/cwmp");

/// As easycwmp is configured on a router in the field.
const EASYCWMP: &str = "\
# easycwmp
config local
	option enable '1'
	option interface 'eth0.2'
	option port '7547'
	option ubus_socket '/var/run/ubus.sock'
	option date_format '%FT%T%z'
	option username 'knock'
	option password 'kn0ck-s3cret'
	option provisioning_code 'TLCO'
	option authentication 'Digest'
	option logging_level '3'

config acs
	option url 'https://acs.example.net:7443/cwmp?token=t0ken-s3cret'
	option username 'ABCDEF-box'
	option password 'acs-s3cret'
	option parameter_key 'key 7'
	option periodic_enable '1'
	option periodic_interval '3600'
	option periodic_time '2016-05-01T03:00:00Z'
	option http100continue_disable '0'
	option ssl_cacert '/etc/ssl/acs.pem'
	option ssl_verify 'disabled'

config device
	option manufacturer 'Example'
	option oui 'ABCDEF'
	option product_class 'Home Box'
	option serial_number 'SN0001'
	option hardware_version 'v1'
	option software_version 'old'
";

/// As an icwmp of some years ago.
const ICWMP: &str = "\
config 'cwmp' 'acs'
	option 'userid' 'ABCDEF-SN1'
	option 'passwd' 'acs-s3cret'
	option 'url' 'http://acs.example.net/acs'
	option 'periodic_inform_enable' 'true'
	option 'periodic_inform_interval' '1800'
	option 'periodic_inform_time' '0'
	option 'ParameterKey' 'x'
	option 'dhcp_discovery' 'enable'
	option 'dhcp_url_path' 'provisioning.iup.urlcwmp'
	option compression 'GZIP'
	option retry_min_wait_interval '7'
	option retry_interval_multiplier '2000'
	option insecure_enable '0'
	option heartbeat_enable '1'
	option heartbeat_interval '600'

# the box itself
config 'cwmp' 'cpe'
	option 'interface' 'eth0.1'
	option 'default_wan_interface' 'wan'
	option 'manufacturer' 'Example'
	option manufacturer_oui 'ABCDEF'
	option product_class 'Home Box'
	option serial_number 'SN1'
	option software_version '1.0'
	option 'log_to_console' 'disable'
	option 'log_severity' 'NOTICE'
	option 'log_file_name' '/var/log/icwmpd.log'
	option 'userid' 'knock'
	option 'passwd' 'kn0ck-s3cret'
	option 'port' '7547'
	option 'path' '/'
	option amd_version '2'
	option instance_mode 'InstanceAlias'
	option strange_option 'never-shown'

config 'cwmp' 'lwn'
	option enable '1'
";

/// A router without settings of its own.
fn router() -> Cpe {
    let cpe = Cpe::new("");
    std::fs::remove_file(cpe.router.path(SETTINGS)).expect("it");
    cpe
}

fn says(out: &Output) -> (Option<i32>, String) {
    let text = [out.stdout.clone(), out.stderr.clone()].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(!text.contains("s3cret"), "a secret: {text}");
    (out.status.code(), text)
}

/// All that the settings say, in the order of the file.
fn settings(cpe: &Cpe) -> Vec<String> {
    let text = cpe.router.read(SETTINGS).expect("settings");
    let package = Package::parse(text.as_bytes()).expect("UCI");
    let mut all = Vec::new();
    for section in package.sections() {
        let name = section.name().expect("a name");
        assert_eq!(section.kind(), name);
        for (option, value) in section.options() {
            all.push(format!(
                "{name}.{option}={}",
                value.as_one().expect("no list")
            ));
        }
    }
    all
}

fn mode(cpe: &Cpe) -> u32 {
    let metadata = std::fs::metadata(cpe.router.path(SETTINGS)).expect("settings");
    metadata.permissions().mode() & 0o7777
}

#[test]
fn what_easycwmp_was_told_is_taken_over_once() {
    let cpe = router();
    cpe.router.write(THEIRS, EASYCWMP).expect("it");
    cpe.router.write(SETTINGS, SHIPPED).expect("it");
    let world = PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(cpe.router.path(SETTINGS), world).expect("a mode");
    let (status, said) = says(&cpe.cli(&["migrate"]));
    assert_eq!(status, Some(0), "{said}");
    let expected = [
        "acs.url=https://acs.example.net:7443/cwmp?token=t0ken-s3cret",
        "acs.username=ABCDEF-box",
        "acs.password=acs-s3cret",
        "acs.periodic_inform_enable=1",
        "acs.periodic_inform_interval=3600",
        "acs.periodic_inform_time=2016-05-01T03:00:00Z",
        "acs.ca_file=/etc/ssl/acs.pem",
        "cpe.enable=1",
        "cpe.interface=eth0.2",
        "cpe.port=7547",
        "cpe.username=knock",
        "cpe.password=kn0ck-s3cret",
        "cpe.provisioning_code=TLCO",
        "cpe.log_level=info",
        "device.manufacturer=Example",
        "device.oui=ABCDEF",
        "device.product_class=Home Box",
        "device.serial_number=SN0001",
    ];
    let mut now = settings(&cpe);
    now.sort();
    let mut sorted = expected.map(str::to_owned).to_vec();
    sorted.sort();
    assert_eq!(now, sorted);
    // What the file told people stays, and it is for nobody else to read now.
    let text = cpe.router.read(SETTINGS).expect("settings");
    assert!(text.contains("# Where the ACS is; empty"), "{text}");
    assert_eq!(mode(&cpe), 0o600);
    assert_eq!(cpe.router.read(THEIRS).expect("it"), EASYCWMP);
    // Every option of theirs is told of: where it went, or why not.
    for line in [
        "  acs.url=https://acs.example.net:7443/cwmp\n",
        "  acs.password=(hidden)\n",
        "  cpe.password=(hidden)\n",
        "  device.serial_number=SN0001\n",
        "  acs.parameter_key: the ACS sets it anew",
        "  acs.ssl_verify: certificates are always verified",
        "  acs.http100continue_disable: ",
        "  local.ubus_socket: ",
        "  local.date_format: ",
        "  device.software_version: versions are read",
        "  device.hardware_version: ",
    ] {
        assert!(said.contains(line), "{line:?} is missing in\n{said}");
    }
    assert!(!said.contains("look:"), "{said}");
    // Once more: nothing, and no complaint.
    let (status, said) = says(&cpe.cli(&["migrate"]));
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.starts_with("easycwmp: everything is taken over already\n"),
        "{said}"
    );
    assert_eq!(cpe.router.read(SETTINGS).expect("settings"), text);
}

#[test]
fn a_url_in_four_pieces_and_a_router_without_a_file_of_ours() {
    let cpe = router();
    let old = "config local\n\toption interface eth0\n\toption port 7547\n\nconfig acs\n\toption scheme http\n\toption hostname  192.168.1.110 \n\toption port  8080 \n\toption path  /openacs/acs \n\toption periodic_enable '0'\n";
    cpe.router.write(THEIRS, old).expect("it");
    let (status, said) = says(&cpe.cli(&["migrate", "--from", "easycwmp"]));
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(
        settings(&cpe),
        [
            "cpe.interface=eth0",
            "cpe.port=7547",
            "acs.url=http://192.168.1.110:8080/openacs/acs",
            "acs.periodic_inform_enable=0",
        ]
    );
    assert_eq!(mode(&cpe), 0o600);
    assert!(!said.contains("not taken over"), "{said}");
    // Who the ACS takes it for is a person's to look at.
    assert!(
        said.contains("look: device.oui, device.product_class, device.serial_number"),
        "{said}"
    );
}

#[test]
fn what_icwmp_was_told_is_taken_over_in_its_own_file() {
    let cpe = router();
    cpe.router.write(SETTINGS, ICWMP).expect("it");
    let (status, said) = says(&cpe.cli(&["migrate"]));
    assert_eq!(status, Some(0), "{said}");
    let mut now = settings(&cpe);
    now.sort();
    let mut expected = [
        "acs.url=http://acs.example.net/acs",
        "acs.username=ABCDEF-SN1",
        "acs.password=acs-s3cret",
        "acs.periodic_inform_enable=1",
        "acs.periodic_inform_interval=1800",
        "acs.dhcp_discovery=1",
        "acs.compression=GZIP",
        "acs.retry_min_wait_interval=7",
        "acs.retry_interval_multiplier=2000",
        "acs.cwmp_version=1.1",
        "cpe.interface=wan",
        "cpe.username=knock",
        "cpe.password=kn0ck-s3cret",
        "cpe.port=7547",
        "cpe.log_level=info",
        // Known here, or of nobody that we know.
        "cpe.instance_mode=InstanceAlias",
        "cpe.strange_option=never-shown",
        "device.manufacturer=Example",
        "device.oui=ABCDEF",
        "device.product_class=Home Box",
        "device.serial_number=SN1",
        "heartbeat.enable=1",
        "heartbeat.interval=600",
        "lwn.enable=1",
    ];
    expected.sort_unstable();
    assert_eq!(now, expected);
    assert!(
        cpe.router
            .read(SETTINGS)
            .expect("it")
            .contains("# the box itself\n")
    );
    for line in [
        "  cpe.path: ",
        "  acs.periodic_inform_time: ",
        "  acs.ParameterKey: ",
        "  cpe.log_file_name: ",
        "  cpe.software_version: ",
        "  cpe.strange_option: nothing is known",
    ] {
        assert!(said.contains(line), "{line:?} is missing in\n{said}");
    }
    assert!(!said.contains("never-shown"), "{said}");
    assert!(!said.contains("instance_mode"), "{said}");
    // It is ours now.
    let checked = cpe.ok(&["check"]);
    assert!(checked.contains("/etc/config/cwmp: good"), "{checked}");
    assert_eq!(checked.matches("warning:").count(), 1, "{checked}");
    let (status, said) = says(&cpe.cli(&["migrate"]));
    assert_eq!(
        (status, said.contains("nothing to take over")),
        (Some(1), true)
    );
    let (status, said) = says(&cpe.cli(&["migrate", "--from", "icwmp"]));
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("taken over already"), "{said}");
}

#[test]
fn a_section_without_a_name_does_not_stand_for_the_one_that_is_there() {
    let cpe = router();
    let text = [ICWMP, "\nconfig cpe\n\toption passwd 'left over'\n"].concat();
    cpe.router.write(SETTINGS, &text).expect("it");
    let (status, said) = says(&cpe.cli(&["migrate"]));
    assert_eq!(status, Some(0), "{said}");
    let now = cpe.router.read(SETTINGS).expect("settings");
    assert!(now.contains("option password 'kn0ck-s3cret'"), "{now}");
    assert!(!now.contains("password 'left over'"), "{now}");
}

#[test]
fn what_somebody_has_set_here_stays_unless_forced() {
    let cpe = router();
    cpe.router.write(THEIRS, EASYCWMP).expect("it");
    let own = SHIPPED
        .replace("option url ''", "option url 'https://other.example/'")
        .replace("'1800'", "'77'");
    cpe.router.write(SETTINGS, &own).expect("it");
    let (status, said) = says(&cpe.cli(&["migrate"]));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("cwmp.acs.url is set here already"), "{said}");
    assert!(
        said.contains("cwmp.acs.periodic_inform_interval is set"),
        "{said}"
    );
    assert!(said.contains("nothing was changed; --force"), "{said}");
    assert_eq!(cpe.router.read(SETTINGS).expect("it"), own);
    let (status, said) = says(&cpe.cli(&["migrate", "--force"]));
    assert_eq!(status, Some(0), "{said}");
    let now = settings(&cpe);
    assert!(
        now.contains(&"acs.periodic_inform_interval=3600".to_owned()),
        "{now:?}"
    );
    assert!(
        now.iter()
            .any(|o| o.starts_with("acs.url=https://acs.example.net"))
    );
}

#[test]
fn a_dry_run_writes_nothing_and_makes_nothing() {
    let cpe = router();
    cpe.router.write(THEIRS, EASYCWMP).expect("it");
    let (status, said) = says(&cpe.cli(&["migrate", "--dry-run"]));
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.starts_with("easycwmp: this would be taken over\n"),
        "{said}"
    );
    assert!(said.contains("  acs.password=(hidden)\n"), "{said}");
    assert!(!cpe.exists(SETTINGS) && !cpe.exists("/etc/cwmp-agent/state"));
}

#[test]
fn it_must_be_clear_whose_settings_they_are() {
    let cpe = router();
    let refused = |args: &[&str], status: i32, word: &str| {
        let (code, said) = says(&cpe.cli(args));
        assert_eq!(code, Some(status), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
    };
    refused(&["migrate"], 1, "there is nothing to take over");
    refused(
        &["migrate", "--from", "easycwmp"],
        1,
        "/etc/config/easycwmp: there is no such file",
    );
    refused(
        &["migrate", "--from", "icwmp"],
        1,
        "/etc/config/cwmp: there is no such file",
    );
    refused(
        &["migrate", "--from", "other"],
        2,
        "write easycwmp or icwmp",
    );
    cpe.router.write(THEIRS, EASYCWMP).expect("it");
    cpe.router.write(SETTINGS, ICWMP).expect("it");
    refused(&["migrate"], 1, "--from easycwmp or --from icwmp");
    cpe.router
        .write(THEIRS, "config local\n\toption 'x\n")
        .expect("it");
    refused(
        &["migrate", "--from", "easycwmp"],
        1,
        "/etc/config/easycwmp: ",
    );
    cpe.router.write(SETTINGS, "config acs 'acs\n").expect("it");
    refused(&["migrate", "--from", "icwmp"], 1, "/etc/config/cwmp: ");
    assert_eq!(cpe.router.read(SETTINGS).expect("it"), "config acs 'acs\n");
}

// T-SEC-002
#[test]
fn values_are_copied_and_never_understood() {
    let cpe = router();
    let evil = "a'b\"c\\$(touch /tmp/ran);`x`|&<é>";
    let mut theirs = Package::default();
    for kind in ["local", "acs", "device", "local", "odd"] {
        theirs.add_section(kind, None).expect("a section");
    }
    for (at, option, value) in [
        (0, "username", evil),
        (0, "password", "two\nlines"),
        (0, "port", "$(id)"),
        (0, "path", "../../x"),
        (1, "url", "ftp://acs.example/"),
        (1, "username", "x\u{9}y"),
        (1, "password", evil),
        (1, "periodic_interval", "-1"),
        (1, "periodic_time", "tomorrow"),
        (2, "oui", "nothex"),
        (2, "serial_number", evil),
        (3, "interface", "second"),
        (4, "url", "http://odd.example/"),
    ] {
        theirs.set(at, option, value).expect("a value");
    }
    theirs
        .set_list(0, "interface", &["a".to_owned(), "b".to_owned()])
        .expect("a list");
    let mut bytes = theirs.to_bytes();
    bytes.extend_from_slice(b"\nconfig acs\n\toption url 'http://second.example/'\n");
    std::fs::write(cpe.router.path(THEIRS), bytes).expect("it");
    // Without its ACS a router is lost: who calls this must know, and the old file must stay.
    let (status, said) = says(&cpe.cli(&["migrate"]));
    assert_eq!(status, Some(1), "{said}");
    for line in [
        "easycwmp's acs.url cannot be taken over: it is no URL",
        "easycwmp's acs.username cannot be taken over: it has control characters",
        "easycwmp's local.password cannot be taken over: it has control characters",
        "nothing was changed",
    ] {
        assert!(said.contains(line), "{line:?} is missing in\n{said}");
    }
    assert!(
        !said.contains("acs.password") && !said.contains("acs.periodic"),
        "{said}"
    );
    assert!(!cpe.exists(SETTINGS));
    let (status, said) = says(&cpe.cli(&["migrate", "--force"]));
    assert_eq!(status, Some(0), "{said}");
    let now = settings(&cpe);
    let expected = ["acs.password", "cpe.username", "device.serial_number"];
    let expected = expected.map(|option| format!("{option}={evil}"));
    let mut sorted = now.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    for line in [
        "local.password: it has control characters",
        "local.port: ",
        "local.path: nothing is known",
        "local.interface: it is a list",
        "acs.url: it is no URL",
        "acs.username: it has control characters",
        "acs.periodic_interval: ",
        "acs.periodic_time: it is no time",
        "device.oui: ",
        "section local: ",
        "section acs: ",
        "section odd: ",
    ] {
        assert!(said.contains(line), "{line:?} is missing in\n{said}");
    }
    assert!(!cpe.exists("/tmp/ran") && !std::path::Path::new("/tmp/ran").exists());
    // No value steers a terminal.
    assert!(
        !said.chars().any(|c| c.is_control() && c != '\n'),
        "{said:?}"
    );
}

#[test]
fn a_daemon_that_runs_takes_them_over_and_the_acs_sees_the_same_device() {
    let acs = Acs::start(AcsConfig::default()).expect("an ACS");
    let mut cpe = Cpe::new("");
    cpe.without_listener();
    cpe.start();
    let theirs = EASYCWMP
        .replace(
            "https://acs.example.net:7443/cwmp?token=t0ken-s3cret",
            &acs.url(),
        )
        .replace("\toption ssl_cacert '/etc/ssl/acs.pem'\n", "")
        .replace("'eth0.2'", "'lo'")
        .replace("\toption port '7547'\n", "");
    cpe.router.write(THEIRS, &theirs).expect("it");
    let (status, said) = says(&cpe.cli(&["migrate", "--force"]));
    assert_eq!(status, Some(0), "{said}");
    let session = acs.wait_session(1, cpe::PATIENCE).expect("a session");
    assert!(session.events().contains(&"0 BOOTSTRAP"));
    let inform = session.inform.inform.as_ref().expect("an Inform");
    assert_eq!(
        (
            inform.oui.as_str(),
            inform.product_class.as_str(),
            inform.serial_number.as_str()
        ),
        ("ABCDEF", "Home Box", "SN0001")
    );
    assert!(cpe.stop().success());
}

#[test]
fn its_help_says_what_it_does() {
    let out = Command::new(cpe::program())
        .args(["migrate", "--help"])
        .output()
        .expect("it");
    let said = String::from_utf8(out.stdout).expect("UTF-8");
    for word in [
        "--from NAME",
        "--dry-run",
        "--force",
        "/etc/config/easycwmp",
    ] {
        assert!(said.contains(word), "{said}");
    }
}
