//! The service file for OpenWrt, run by a shell with procd's functions told instead of done.

use std::process::Command;

const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/init/openwrt/cwmp-agent.init");

/// What `start_service` tells procd with these options of `config cpe`.
fn started(options: &str) -> String {
    let script = format!(
        r#"
        config_load() {{ :; }}
        config_get() {{ eval "$1=\"\${{option_$3:-$4}}\""; }}
        config_get_bool() {{ config_get "$@"; }}
        open_port_is_told() {{ echo "port $2 of $1"; }}
        procd_open_instance() {{ echo open; }}
        procd_close_instance() {{ echo close; }}
        procd_set_param() {{ echo "$@"; }}
        . {SERVICE:?}
        open_port() {{ open_port_is_told "$@"; }}
        {options}
        start_service
        "#
    );
    let out = Command::new("sh")
        .arg("-c")
        .arg(script)
        .output()
        .expect("a shell");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("UTF-8")
}

// FLW-014
#[test]
fn switched_off_the_service_runs_on_with_its_port_closed() {
    let on = started("");
    assert!(on.contains("command /usr/sbin/cwmp-agent run"), "{on}");
    assert!(on.contains("reload_signal HUP"), "{on}");
    assert!(on.contains("port 7547 of wan"), "{on}");
    let off = started("option_enable=0");
    assert!(off.contains("command /usr/sbin/cwmp-agent run"), "{off}");
    assert!(!off.contains("port "), "{off}");
    for closed in ["option_http_connection_request=0", "option_port=0"] {
        let told = started(closed);
        assert!(
            told.contains("command") && !told.contains("port "),
            "{told}"
        );
    }
}
