//! The names that `native = ` may give, and what they mean.
//!
//! A name is looked up for every value: in a table of places that the compiler makes, by its
//! first and last letters.

/// What a name means.
#[expect(
    clippy::enum_variant_names,
    reason = "the value of a sensor is one of them"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The agent sets it in [`Runtime`](super::Runtime), or the model keeps it itself.
    Given,
    /// Of networks.
    Net(Net),
    /// A counter of a network device: its column in `/proc/net/dev`.
    DeviceCounter(u8),
    /// The same of the device that carries a network's packets.
    InterfaceCounter(u8),
    /// The same of the devices of a radio, or of the device of a wireless interface.
    WifiCounter(u8),
    ConfigDate,
    CpuIdle,
    CpuSystem,
    CpuUsage,
    CpuUser,
    CurrentLocalTime,
    FirewallChanged,
    FirewallVersion,
    Hardware,
    HostStation,
    Ipv4Address,
    Ipv4Netmask,
    Ipv6Address,
    PersistentFree,
    PersistentTotal,
    ProcessCommand,
    ProcessCpuTime,
    ProcessName,
    ProcessPriority,
    ProcessSize,
    ProcessState,
    ProcessorArchitecture,
    SensorName,
    SensorStatus,
    SensorTime,
    SensorValue,
    /// Of a station of an access point.
    Station(Station),
    TimeStatus,
    UserEnabled,
    UserGroups,
    UserId,
    WifiBands,
    WifiBssid,
    WifiChannel,
    WifiMac,
    WifiName,
    WifiSecurityModes,
    WifiService,
    WifiStatus,
    WifiSupportedStandards,
    WifiSupportedWidths,
    WifiUpstream,
}

/// Values of stations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Station {
    Authenticated,
    BytesReceived,
    BytesSent,
    DownlinkRate,
    Failures,
    Noise,
    PacketsReceived,
    PacketsSent,
    Retransmissions,
    Signal,
    Since,
    Standard,
    UplinkRate,
}

/// Values of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    HostActive,
    HostNetwork,
    InterfaceAddress,
    InterfaceAddressStatus,
    InterfaceAddressing,
    InterfaceChange,
    InterfaceConnection,
    InterfaceDhcpServer,
    InterfaceDhcpStatus,
    InterfaceDns,
    InterfaceError,
    InterfaceIpv4,
    InterfaceIpv4Mask,
    InterfaceIpv6,
    InterfaceLower,
    InterfaceMask,
    InterfaceMtu,
    InterfacePeer,
    InterfaceRouters,
    InterfaceServiceStatus,
    InterfaceStatus,
    InterfaceType,
    Ipv6AddressOrigin,
    Ipv6AddressStatus,
    Ipv6Capable,
    Ipv6PrefixOrigin,
    IsManagementPort,
    IsUpstream,
    LeaseAddress,
    LeaseExpiry,
    LinkLower,
    PortLower,
    StackHigher,
    StackLower,
    VlanPortPort,
    VlanPortUntagged,
    VlanPortVlan,
}

/// Every name.
pub const ALL: [(&str, Value); 134] = [
    ("config_date", Value::ConfigDate),
    ("connection_request_url", Value::Given),
    ("cpu_idle", Value::CpuIdle),
    ("cpu_system", Value::CpuSystem),
    ("cpu_usage", Value::CpuUsage),
    ("cpu_user", Value::CpuUser),
    ("current_local_time", Value::CurrentLocalTime),
    ("device_collisions", Value::DeviceCounter(13)),
    ("device_multicast", Value::DeviceCounter(7)),
    ("device_rx_bytes", Value::DeviceCounter(0)),
    ("device_rx_dropped", Value::DeviceCounter(3)),
    ("device_rx_errors", Value::DeviceCounter(2)),
    ("device_rx_packets", Value::DeviceCounter(1)),
    ("device_tx_bytes", Value::DeviceCounter(8)),
    ("device_tx_dropped", Value::DeviceCounter(11)),
    ("device_tx_errors", Value::DeviceCounter(10)),
    ("device_tx_packets", Value::DeviceCounter(9)),
    ("dhcp_acs_url", Value::Given),
    ("dhcp_provisioning_code", Value::Given),
    ("dhcp_retry_minimum_wait", Value::Given),
    ("dhcp_retry_multiplier", Value::Given),
    ("firewall_changed", Value::FirewallChanged),
    ("firewall_version", Value::FirewallVersion),
    ("first_use_date", Value::Given),
    ("hardware", Value::Hardware),
    ("hardware_version", Value::Given),
    ("host_active", Value::Net(Net::HostActive)),
    ("host_network", Value::Net(Net::HostNetwork)),
    ("host_station", Value::HostStation),
    ("interface_address", Value::Net(Net::InterfaceAddress)),
    (
        "interface_address_status",
        Value::Net(Net::InterfaceAddressStatus),
    ),
    ("interface_addressing", Value::Net(Net::InterfaceAddressing)),
    ("interface_collisions", Value::InterfaceCounter(13)),
    (
        "interface_connection_status",
        Value::Net(Net::InterfaceConnection),
    ),
    (
        "interface_dhcp_server",
        Value::Net(Net::InterfaceDhcpServer),
    ),
    (
        "interface_dhcp_status",
        Value::Net(Net::InterfaceDhcpStatus),
    ),
    ("interface_dns", Value::Net(Net::InterfaceDns)),
    ("interface_ipv4", Value::Net(Net::InterfaceIpv4)),
    ("interface_ipv4_mask", Value::Net(Net::InterfaceIpv4Mask)),
    ("interface_ipv6", Value::Net(Net::InterfaceIpv6)),
    ("interface_last_change", Value::Net(Net::InterfaceChange)),
    ("interface_last_error", Value::Net(Net::InterfaceError)),
    ("interface_lower", Value::Net(Net::InterfaceLower)),
    ("interface_mask", Value::Net(Net::InterfaceMask)),
    ("interface_mtu", Value::Net(Net::InterfaceMtu)),
    ("interface_multicast", Value::InterfaceCounter(7)),
    ("interface_peer", Value::Net(Net::InterfacePeer)),
    ("interface_routers", Value::Net(Net::InterfaceRouters)),
    ("interface_rx_bytes", Value::InterfaceCounter(0)),
    ("interface_rx_dropped", Value::InterfaceCounter(3)),
    ("interface_rx_errors", Value::InterfaceCounter(2)),
    ("interface_rx_packets", Value::InterfaceCounter(1)),
    (
        "interface_service_status",
        Value::Net(Net::InterfaceServiceStatus),
    ),
    ("interface_status", Value::Net(Net::InterfaceStatus)),
    ("interface_tx_bytes", Value::InterfaceCounter(8)),
    ("interface_tx_dropped", Value::InterfaceCounter(11)),
    ("interface_tx_errors", Value::InterfaceCounter(10)),
    ("interface_tx_packets", Value::InterfaceCounter(9)),
    ("interface_type", Value::Net(Net::InterfaceType)),
    ("ipv4_address", Value::Ipv4Address),
    ("ipv4_netmask", Value::Ipv4Netmask),
    ("ipv6_address", Value::Ipv6Address),
    ("ipv6_address_origin", Value::Net(Net::Ipv6AddressOrigin)),
    ("ipv6_address_status", Value::Net(Net::Ipv6AddressStatus)),
    ("ipv6_capable", Value::Net(Net::Ipv6Capable)),
    ("ipv6_prefix_origin", Value::Net(Net::Ipv6PrefixOrigin)),
    ("is_management_port", Value::Net(Net::IsManagementPort)),
    ("is_upstream", Value::Net(Net::IsUpstream)),
    ("lease_address", Value::Net(Net::LeaseAddress)),
    ("lease_expiry", Value::Net(Net::LeaseExpiry)),
    ("link_lower", Value::Net(Net::LinkLower)),
    ("manufacturer", Value::Given),
    ("model_name", Value::Given),
    ("oui", Value::Given),
    ("parameter_key", Value::Given),
    ("persistent_free", Value::PersistentFree),
    ("persistent_total", Value::PersistentTotal),
    ("port_lower", Value::Net(Net::PortLower)),
    ("process_command", Value::ProcessCommand),
    ("process_cpu_time", Value::ProcessCpuTime),
    ("process_name", Value::ProcessName),
    ("process_priority", Value::ProcessPriority),
    ("process_size", Value::ProcessSize),
    ("process_state", Value::ProcessState),
    ("processor_architecture", Value::ProcessorArchitecture),
    ("product_class", Value::Given),
    ("sensor_name", Value::SensorName),
    ("sensor_status", Value::SensorStatus),
    ("sensor_time", Value::SensorTime),
    ("sensor_value", Value::SensorValue),
    ("serial_number", Value::Given),
    ("software_version", Value::Given),
    ("stack_higher", Value::Net(Net::StackHigher)),
    ("stack_lower", Value::Net(Net::StackLower)),
    (
        "station_authenticated",
        Value::Station(Station::Authenticated),
    ),
    (
        "station_bytes_received",
        Value::Station(Station::BytesReceived),
    ),
    ("station_bytes_sent", Value::Station(Station::BytesSent)),
    (
        "station_downlink_rate",
        Value::Station(Station::DownlinkRate),
    ),
    ("station_failures", Value::Station(Station::Failures)),
    ("station_noise", Value::Station(Station::Noise)),
    (
        "station_packets_received",
        Value::Station(Station::PacketsReceived),
    ),
    ("station_packets_sent", Value::Station(Station::PacketsSent)),
    (
        "station_retransmissions",
        Value::Station(Station::Retransmissions),
    ),
    ("station_signal", Value::Station(Station::Signal)),
    ("station_since", Value::Station(Station::Since)),
    ("station_standard", Value::Station(Station::Standard)),
    ("station_uplink_rate", Value::Station(Station::UplinkRate)),
    ("time_status", Value::TimeStatus),
    ("user_enabled", Value::UserEnabled),
    ("user_groups", Value::UserGroups),
    ("user_id", Value::UserId),
    ("vlan_port_port", Value::Net(Net::VlanPortPort)),
    ("vlan_port_untagged", Value::Net(Net::VlanPortUntagged)),
    ("vlan_port_vlan", Value::Net(Net::VlanPortVlan)),
    ("wifi_bands", Value::WifiBands),
    ("wifi_bssid", Value::WifiBssid),
    ("wifi_bytes_received", Value::WifiCounter(0)),
    ("wifi_bytes_sent", Value::WifiCounter(8)),
    ("wifi_channel", Value::WifiChannel),
    ("wifi_discards_received", Value::WifiCounter(3)),
    ("wifi_discards_sent", Value::WifiCounter(11)),
    ("wifi_errors_received", Value::WifiCounter(2)),
    ("wifi_errors_sent", Value::WifiCounter(10)),
    ("wifi_mac", Value::WifiMac),
    ("wifi_multicast_received", Value::WifiCounter(7)),
    ("wifi_name", Value::WifiName),
    ("wifi_packets_received", Value::WifiCounter(1)),
    ("wifi_packets_sent", Value::WifiCounter(9)),
    ("wifi_security_modes", Value::WifiSecurityModes),
    ("wifi_service", Value::WifiService),
    ("wifi_status", Value::WifiStatus),
    ("wifi_supported_standards", Value::WifiSupportedStandards),
    ("wifi_supported_widths", Value::WifiSupportedWidths),
    ("wifi_upstream", Value::WifiUpstream),
];

/// Twice as many places as names, or more.
const PLACES: usize = 512;
/// By [`place`], or the next that is free: one more than where the name is in [`ALL`]; 0:
/// free.
const TABLE: [u8; PLACES] = table();

#[expect(
    clippy::indexing_slicing,
    reason = "run by the compiler, which checks the places"
)]
const fn table() -> [u8; PLACES] {
    let mut table = [0; PLACES];
    let mut n = 0;
    while n < ALL.len() {
        let mut at = place(ALL[n].0.as_bytes());
        while table[at] != 0 {
            at = (at + 1) % PLACES;
        }
        table[at] = n as u8 + 1;
        n += 1;
    }
    table
}

/// Where a name belongs in the table.
const fn place(name: &[u8]) -> usize {
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (name.len() as u64, 0),
    };
    let mixed = (first ^ last.rotate_left(29) ^ name.len() as u64).wrapping_mul(MIX);
    // The uppermost nine bits.
    (mixed >> 55) as usize
}

/// Odd, and half of its bits are ones.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a name means; `None`: nothing.
pub fn value(name: &str) -> Option<Value> {
    let mut at = place(name.as_bytes());
    loop {
        // A free place comes: there are more places than names.
        let n = usize::from(*TABLE.get(at)?).checked_sub(1)?;
        match ALL.get(n) {
            Some((known, value)) if *known == name => return Some(*value),
            _ => at = (at + 1) % PLACES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for (name, meaning) in ALL {
            assert_eq!(value(name), Some(meaning), "{name}");
        }
        for name in ["", "o", "device_", "device_rx_byte", "interface_rx_bytess"] {
            assert_eq!(value(name), None, "{name}");
        }
        assert!(ALL.is_sorted_by(|a, b| a.0 < b.0), "each once");
    }
}
