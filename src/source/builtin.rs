//! The data model that is compiled in: it serves where no directory of data-model files
//! exists (see `data_model` in agent.toml).
//!
//! A test holds the list against the folder `data-model`.

/// Name and text of every file in `data-model/`, in order of name.
pub const FILES: &[(&str, &str)] = &[
    (
        "device-info.toml",
        include_str!("../../data-model/device-info.toml"),
    ),
    ("device.toml", include_str!("../../data-model/device.toml")),
    (
        "ethernet.toml",
        include_str!("../../data-model/ethernet.toml"),
    ),
    ("hosts.toml", include_str!("../../data-model/hosts.toml")),
    ("ip.toml", include_str!("../../data-model/ip.toml")),
    (
        "management-server.toml",
        include_str!("../../data-model/management-server.toml"),
    ),
    ("nat.toml", include_str!("../../data-model/nat.toml")),
    ("ppp.toml", include_str!("../../data-model/ppp.toml")),
    ("ssh.toml", include_str!("../../data-model/ssh.toml")),
    ("syslog.toml", include_str!("../../data-model/syslog.toml")),
    ("time.toml", include_str!("../../data-model/time.toml")),
    ("users.toml", include_str!("../../data-model/users.toml")),
    ("wifi.toml", include_str!("../../data-model/wifi.toml")),
];
