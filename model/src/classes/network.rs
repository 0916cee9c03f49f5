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
        /// Bytes received since the start.
        reading RECEIVED_BYTES: u64 = "received_bytes", "Received", unit Bytes;
        /// Bytes sent since the start.
        reading SENT_BYTES: u64 = "sent_bytes", "Sent", unit Bytes;
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
