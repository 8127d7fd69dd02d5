//! What a schema cannot say of the values of the shipped data model: which of them the
//! sample router refuses, and which it takes together with another one only.

/// Tells some values from others.
pub type Is = fn(&str) -> bool;

/// Sets that are refused with 9007 although type, range and the like allow the value: the
/// parameter, which values, and why. A row that never meets a refusal fails the test.
pub const REFUSED: &[(&str, Is, &str)] = &[
    (
        "Device.DeviceInfo.BootFirmwareImage",
        str::is_empty,
        "it has one value only",
    ),
    (
        "Device.ManagementServer.InformParameter.{i}.ParameterName",
        |v| !v.is_empty(),
        "no name of a parameter",
    ),
    (
        "Device.ManagementServer.InformParameter.{i}.EventList",
        |v| !v.is_empty(),
        "no event codes",
    ),
    (
        "Device.WiFi.Radio.{i}.AutoChannelEnable",
        |v| v == "false",
        "goes with a Channel",
    ),
    (
        "Device.Time.LocalTimeZone",
        |v| !v.starts_with("CET-1") && !v.starts_with('<') && !v.starts_with("UTC"),
        "no POSIX time zone",
    ),
    (
        "Device.Time.NTPServer1",
        str::is_empty,
        "another server follows",
    ),
    (
        "Device.Time.NTPServer2",
        str::is_empty,
        "another server follows",
    ),
    (
        "Device.Time.NTPServer3",
        str::is_empty,
        "another server follows",
    ),
    (
        "Device.WiFi.Radio.{i}.OperatingStandards",
        |_| true,
        "not the standards of the band up to a newest one",
    ),
    (
        "Device.WiFi.Radio.{i}.OperatingChannelBandwidth",
        |v| v != "20MHz" && v != "40MHz",
        "wider than the band or the standards in use",
    ),
    (
        "Device.WiFi.Radio.{i}.Channel",
        |_| true,
        "no channel of the band",
    ),
    (
        "Device.WiFi.Radio.{i}.ExtensionChannel",
        |v| v != "Auto",
        "only 802.11n at 40 MHz has one to choose",
    ),
    (
        "Device.WiFi.AccessPoint.{i}.Security.EncryptionMode",
        |_| true,
        "not the ciphers of the mode, or one twice",
    ),
    (
        "Device.NAT.PortMapping.{i}.ExternalPortEndRange",
        |v| v.parse().is_ok_and(|n: u32| n < 51000),
        "below ExternalPort",
    ),
    (
        "Device.NAT.PortMapping.{i}.ExternalPortEndRange",
        |v| v.parse().is_ok_and(|n: u32| n > 51000),
        "a range has the same ports inside, and this one has not",
    ),
    (
        "Device.NAT.PortMapping.{i}.InternalPort",
        |_| true,
        "a range has the same ports inside",
    ),
    (
        "Device.NAT.PortMapping.{i}.Interface",
        |v| !v.is_empty(),
        "no zone of the firewall has the network",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.SourceInterface",
        |v| !v.is_empty(),
        "no zone of the firewall has the network",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.DestInterface",
        |v| !v.is_empty(),
        "no zone of the firewall has the network",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.Protocol",
        |v| v == "0",
        "fw4 takes 0 for any protocol, which is -1 here",
    ),
    (
        "Device.Bridging.Bridge.{i}.Standard",
        |v| v == "802.1D-2004",
        "the bridge has VLANs",
    ),
    (
        "Device.Bridging.Bridge.{i}.STP.HelloTime",
        |v| !v.ends_with("00"),
        "UCI has whole seconds",
    ),
    (
        "Device.Bridging.Bridge.{i}.STP.MaxAge",
        |v| !v.ends_with("00"),
        "UCI has whole seconds",
    ),
    (
        "Device.Bridging.Bridge.{i}.VLAN.{i}.VLANID",
        |_| true,
        "another VLAN of the bridge has it, or a network lies on the one that has",
    ),
    (
        "Device.Bridging.Bridge.{i}.VLAN.{i}.Enable",
        |v| v == "false",
        "a network lies on it",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.MinAddress",
        |_| true,
        "not in the pool's network, or beyond its MaxAddress",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.MaxAddress",
        |_| true,
        "not in the pool's network, or below its MinAddress",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.LeaseTime",
        |v| v.parse().is_ok_and(|n: i64| (0..120).contains(&n)),
        "dnsmasq gives two minutes at least",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.SubnetMask",
        str::is_empty,
        "then that of its network shows",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.StaticAddress.{i}.Yiaddr",
        |v| !v.is_empty(),
        "not in the network of the pool",
    ),
    (
        "Device.DNS.Relay.Forwarding.{i}.DNSServer",
        str::is_empty,
        "dnsmasq has no server without an address",
    ),
    (
        "Device.DNS.Relay.Forwarding.{i}.Interface",
        |v| v == "Device.IP.Interface.4",
        "the network before it has the same device and stands for both",
    ),
    (
        "Device.RouterAdvertisement.InterfaceSetting.{i}.MinRtrAdvInterval",
        |v| v.parse().is_ok_and(|n: u32| n > 450),
        "more than three quarters of MaxRtrAdvInterval",
    ),
    (
        "Device.RouterAdvertisement.InterfaceSetting.{i}.AdvLinkMTU",
        |v| v.parse().is_ok_and(|n: u32| (1..1280).contains(&n)),
        "less than IPv6 needs",
    ),
    (
        "Device.Ethernet.Link.{i}.MACAddress",
        str::is_empty,
        "then that of the hardware shows",
    ),
    (
        "Device.IP.Interface.{i}.IPv4Address.{i}.IPAddress",
        str::is_empty,
        "a fixed address is one",
    ),
    (
        "Device.IP.Interface.{i}.IPv4Address.{i}.IPAddress",
        |v| v == "255.255.0.0",
        "that of a network",
    ),
    (
        "Device.RouterAdvertisement.InterfaceSetting.{i}.AdvLinkMTU",
        |v| v != "0",
        "odhcpd drops a network with such an MTU",
    ),
    (
        "Device.RouterAdvertisement.InterfaceSetting.{i}.AdvRetransTimer",
        |v| v.parse().is_ok_and(|n: u32| n > 60_000),
        "odhcpd drops a network with such a time",
    ),
    (
        "Device.IP.Interface.{i}.IPv4Address.{i}.SubnetMask",
        |v| !v.starts_with("255."),
        "no mask",
    ),
    (
        "Device.Routing.Router.{i}.IPv4Forwarding.{i}.DestSubnetMask",
        |v| !v.starts_with("255."),
        "no mask, and without one a route leads to one host",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.DestPortRangeMax",
        |v| v == "0",
        "no range ends there; none is -1",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.SourcePortRangeMax",
        |v| v == "0",
        "no range ends there; none is -1",
    ),
];

/// Values that come with another parameter of the same object in one request: the
/// parameter, which values, the other one and its value.
pub const TOGETHER: &[(&str, Is, &str, &str)] = &[
    (
        "Device.PPP.Interface.{i}.ConnectionTrigger",
        |v| v == "OnDemand",
        "IdleDisconnectTime",
        "300",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.MinAddress",
        |v| v == "192.168.1.177",
        "Interface",
        "Device.IP.Interface.2",
    ),
    (
        "Device.DHCPv4.Server.Pool.{i}.MaxAddress",
        |v| v == "192.168.1.177",
        "Interface",
        "Device.IP.Interface.2",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.DestPortRangeMax",
        |v| v != "-1",
        "DestPort",
        "1",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.SourcePortRangeMax",
        |v| v != "-1",
        "SourcePort",
        "1",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.DestPort",
        |v| v != "-1",
        "Protocol",
        "6",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.DestPortRangeMax",
        |v| v != "-1",
        "Protocol",
        "6",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.SourcePort",
        |v| v != "-1",
        "Protocol",
        "6",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.SourcePortRangeMax",
        |v| v != "-1",
        "Protocol",
        "6",
    ),
    (
        "Device.Firewall.Chain.{i}.Rule.{i}.Protocol",
        |v| !matches!(v, "6" | "17"),
        "DestPort",
        "-1",
    ),
];
