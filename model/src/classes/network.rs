//! Interfaces, routes and endpoints.

use crate::ci_class;

ci_class! {
    /// A network interface of a host.
    mod network_interface, class "network_interface", label "Network interface", plural "Network interfaces",
    group Network, icon "network", title "name",
    identity within ["name"]
    {
        /// Name in the operating system.
        fact NAME: String = "name", "Name";
        /// What it is: `physical`, `vlan`, `bond`, `bridge`, `tunnel`, `loopback`, `virtual`.
        fact INTERFACE_TYPE: String = "interface_type", "Type";
        /// Hardware address.
        fact MAC_ADDRESS: String = "mac_address", "MAC address";
        /// Hardware address that was burnt in.
        fact PERMANENT_MAC_ADDRESS: String = "permanent_mac_address", "Permanent MAC address";
        /// Addresses with their prefix lengths.
        fact ADDRESSES: Vec<String> = "addresses", "Addresses";
        /// Largest packet.
        fact MTU_BYTES: u64 = "mtu_bytes", "MTU", unit Bytes;
        /// State of operation, such as `up`.
        fact STATE: String = "state", "State";
        /// Speed of the link.
        fact SPEED_BITS_PER_SECOND: u64 = "speed_bits_per_second", "Speed", unit BitsPerSecond;
        /// Duplex of the link.
        fact DUPLEX: String = "duplex", "Duplex";
        /// Driver.
        fact DRIVER: String = "driver", "Driver";
        /// VLAN number.
        fact VLAN_ID: u64 = "vlan_id", "VLAN";
        /// Flags of the interface, such as `up` and `multicast`, sorted.
        fact FLAGS: Vec<String> = "flags", "Flags";
        /// Kind of a virtual interface in the kernel's words, such as `vxlan`.
        fact LINK_KIND: String = "link_kind", "Link kind";
        /// Description that an administrator gave it.
        fact ALIAS: String = "alias", "Alias";
        /// Mode of a bond, such as `802.3ad`.
        fact BOND_MODE: String = "bond_mode", "Bond mode";
        /// Member of a bond that carries the traffic.
        fact BOND_ACTIVE_MEMBER: String = "bond_active_member", "Active member";
        /// Address at this end of a tunnel.
        fact TUNNEL_LOCAL: String = "tunnel_local", "Tunnel from";
        /// Address at the other end of a tunnel.
        fact TUNNEL_REMOTE: String = "tunnel_remote", "Tunnel to";
        /// Place of the device on its bus.
        fact DEVICE_ADDRESS: String = "device_address", "Bus address";
        /// Bytes received since the start.
        reading RECEIVED_BYTES: u64 = "received_bytes", "Received", unit Bytes;
        /// Bytes sent since the start.
        reading SENT_BYTES: u64 = "sent_bytes", "Sent", unit Bytes;
        /// Packets received since the start.
        reading RECEIVED_PACKETS_COUNT: u64 = "received_packets_count", "Packets received";
        /// Packets sent since the start.
        reading SENT_PACKETS_COUNT: u64 = "sent_packets_count", "Packets sent";
        /// Packets received with errors since the start.
        reading RECEIVED_ERRORS_COUNT: u64 = "received_errors_count", "Receive errors";
        /// Packets that could not be sent since the start.
        reading SENT_ERRORS_COUNT: u64 = "sent_errors_count", "Send errors";
        /// Received packets that were dropped since the start.
        reading RECEIVED_DROPPED_COUNT: u64 = "received_dropped_count", "Received and dropped";
    }
}

ci_class! {
    /// An entry of a host's routing tables.
    mod route, class "route", label "Route", plural "Routes",
    group Network, icon "route", title "destination",
    identity within ["table", "destination", "gateway", "interface"]
    {
        /// Routing table.
        fact TABLE: String = "table", "Table";
        /// Network that it leads to, with prefix length; `default` for everything else.
        fact DESTINATION: String = "destination", "Destination";
        /// Next hop; empty when directly connected.
        fact GATEWAY: String = "gateway", "Gateway";
        /// Interface that it leaves through.
        fact INTERFACE: String = "interface", "Interface";
        /// Metric; the lowest wins.
        fact METRIC: u64 = "metric", "Metric";
        /// Who made it, such as `kernel`, `boot`, `static`, `dhcp` or `bird`.
        fact PROTOCOL: String = "protocol", "Made by";
        /// What it does: `unicast`, `blackhole`, `unreachable`, `prohibit`, `throw`.
        fact ROUTE_TYPE: String = "route_type", "Type";
        /// Address that packets are sent from.
        fact SOURCE_ADDRESS: String = "source_address", "Source address";
    }
}

ci_class! {
    /// A socket that a process of a host listens on.
    mod listening_endpoint, class "listening_endpoint", label "Listener", plural "Listeners",
    group Network, icon "plug", title "name",
    identity within ["namespace", "protocol", "address", "port"]
    {
        /// Network namespace: `host`, or that of a container.
        fact NAMESPACE: String = "namespace", "Namespace";
        /// `tcp` or `udp`.
        fact PROTOCOL: String = "protocol", "Protocol";
        /// Address that is listened on; `0.0.0.0` and `::` mean all.
        fact ADDRESS: String = "address", "Address";
        /// Port.
        fact PORT: String = "port", "Port";
        /// Port with protocol and, when known, the program, such as `tcp/5432 postgres`.
        fact NAME: String = "name", "Name";
        /// Program that listens.
        fact PROGRAM: String = "program", "Program";
        /// Whether it can be reached from other hosts by its address.
        fact IS_EXPOSED: bool = "is_exposed", "Exposed";
        /// Account that opened it.
        fact RUN_AS: String = "run_as", "Opened by";
        /// Protocol that it speaks, as a look from outside recognized it, such as `ssh`.
        fact SERVICE: String = "service", "Service";
        /// Product that answers, as a look from outside recognized it.
        fact PRODUCT: String = "product", "Product";
        /// Version of the product that answers.
        fact PRODUCT_VERSION: String = "product_version", "Product version";
        /// Name of the product in the Common Platform Enumeration (NISTIR 7695), for looking up its weaknesses.
        fact CPE: String = "cpe", "CPE";
        /// First words that it says, made printable and cut.
        fact BANNER: String = "banner", "Banner";
        /// Connections that were accepted on it and are open.
        reading CONNECTIONS_COUNT: u64 = "connections_count", "Connections";
    }
}

ci_class! {
    /// An address and port on another host that processes of a host are connected to, until an item is known there.
    mod remote_endpoint, class "remote_endpoint", label "Remote endpoint", plural "Remote endpoints",
    group Network, icon "globe", title "name",
    identity within ["protocol", "address", "port"]
    {
        /// `tcp` or `udp`.
        fact PROTOCOL: String = "protocol", "Protocol";
        /// Address.
        fact ADDRESS: String = "address", "Address";
        /// Port.
        fact PORT: String = "port", "Port";
        /// Address, port and protocol in one line.
        fact NAME: String = "name", "Name";
        /// Connections that are open.
        reading CONNECTIONS_COUNT: u64 = "connections_count", "Connections";
    }
}
