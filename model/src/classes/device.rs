//! Devices on the network and their parts, and what they say of their neighborhood.
//!
//! What a device says of another one (a neighbor, an address behind a port) is a part of the device that says it:
//! both ends are kept as seen, and reconciliation holds them against each other.

use crate::ci_class;

ci_class! {
    /// A device on the network that runs no operating system for general use: a switch, router, firewall, printer, UPS.
    mod network_device, class "network_device", label "Network device", plural "Network devices",
    group Network, icon "network", title "name",
    identity keys [
        ChassisSerial, SystemSerial, ServiceTag, PermanentMacAddress, SnmpEngineId, LldpChassisId, MacAddress, Fqdn,
        IpAddress, HostName, SystemName
    ]
    {
        /// Name that the device says of itself.
        fact NAME: String = "name", "Name";
        /// What it is: `switch`, `router`, `firewall`, `access_point`, `wireless_controller`, `load_balancer`, `printer`, `ups`, `pdu`, `storage`, `management_controller`, `camera`, `phone`, `sensor`, `appliance` or `unknown`.
        fact DEVICE_TYPE: String = "device_type", "Type";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Model, in the words of the vendor.
        fact MODEL: String = "model", "Model";
        /// Serial number of the chassis.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Asset tag of the chassis.
        fact ASSET_TAG: String = "asset_tag", "Asset tag";
        /// Operating system or product line of its software.
        fact OS_NAME: String = "os_name", "Operating system";
        /// Version of its software.
        fact SOFTWARE_VERSION: String = "software_version", "Software version";
        /// Version of its firmware.
        fact FIRMWARE_VERSION: String = "firmware_version", "Firmware version";
        /// Version of its hardware.
        fact HARDWARE_VERSION: String = "hardware_version", "Hardware version";
        /// Description in its own words.
        fact DESCRIPTION: String = "description", "Description";
        /// Identifier that its vendor registered for the product, such as `1.3.6.1.4.1.9.1.516`.
        fact OBJECT_ID: String = "object_id", "Object identifier";
        /// Person to ask, as an administrator wrote it there.
        fact CONTACT: String = "contact", "Contact";
        /// Place, as an administrator wrote it there.
        fact LOCATION: String = "location", "Location";
        /// Address by which it was reached.
        fact MANAGEMENT_ADDRESS: String = "management_address", "Management address";
        /// Hardware address of the bridge.
        fact BRIDGE_ADDRESS: String = "bridge_address", "Bridge address";
        /// What it announces that it does, such as `bridge` and `router`, sorted.
        fact CAPABILITIES: Vec<String> = "capabilities", "Capabilities";
        /// Time since its management was started.
        reading UPTIME_SECONDS: u64 = "uptime_seconds", "Up for", unit Seconds;
        /// Load of its processors on average.
        reading PROCESSOR_LOAD_PERCENT: f64 = "processor_load_percent", "Processor load", unit Percent;
    }
}

ci_class! {
    /// A way by which something is managed: the protocol, its version and the level of security that was accepted.
    mod management_access, class "management_access", label "Management access", plural "Management accesses",
    group Network, icon "plug", title "protocol",
    identity within ["protocol"]
    {
        /// Protocol, such as `snmp`.
        fact PROTOCOL: String = "protocol", "Protocol";
        /// Version of the protocol that was accepted.
        fact PROTOCOL_VERSION: String = "protocol_version", "Version";
        /// Level of security with its algorithms.
        fact SECURITY_LEVEL: String = "security_level", "Security level";
        /// Whether the level encrypts what is read.
        fact IS_ENCRYPTED: bool = "is_encrypted", "Encrypted";
        /// Address and port.
        fact ADDRESS: String = "address", "Address";
        /// Identifier of the engine that answers, hexadecimal.
        fact ENGINE_ID: String = "engine_id", "Engine id";
        /// What the other side does against the rules of the protocol, sorted.
        fact ODDITIES: Vec<String> = "oddities", "Oddities";
    }
}

ci_class! {
    /// A chassis, line card, supervisor or other module of a device.
    mod device_module, class "device_module", label "Module", plural "Modules",
    group Hardware, icon "card", title "name",
    identity within ["position"]
    {
        /// Where it sits, from the outermost container to itself.
        fact POSITION: String = "position", "Position";
        /// Name.
        fact NAME: String = "name", "Name";
        /// What it is: `chassis`, `module`, `backplane` or `container`.
        fact MODULE_TYPE: String = "module_type", "Type";
        /// Description.
        fact DESCRIPTION: String = "description", "Description";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Model.
        fact MODEL: String = "model", "Model";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Version of the hardware.
        fact HARDWARE_VERSION: String = "hardware_version", "Hardware version";
        /// Version of the firmware.
        fact FIRMWARE_VERSION: String = "firmware_version", "Firmware version";
        /// Version of the software.
        fact SOFTWARE_VERSION: String = "software_version", "Software version";
        /// Asset tag.
        fact ASSET_TAG: String = "asset_tag", "Asset tag";
        /// Whether it can be replaced on site.
        fact IS_REPLACEABLE: bool = "is_replaceable", "Replaceable";
    }
}

ci_class! {
    /// A power supply of a device.
    mod power_supply, class "power_supply", label "Power supply", plural "Power supplies",
    group Hardware, icon "plug", title "name",
    identity within ["position"]
    {
        /// Where it sits, from the outermost container to itself.
        fact POSITION: String = "position", "Position";
        /// Name.
        fact NAME: String = "name", "Name";
        /// Description.
        fact DESCRIPTION: String = "description", "Description";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Model.
        fact MODEL: String = "model", "Model";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Version of the hardware.
        fact HARDWARE_VERSION: String = "hardware_version", "Hardware version";
        /// Version of the firmware.
        fact FIRMWARE_VERSION: String = "firmware_version", "Firmware version";
    }
}

ci_class! {
    /// A fan or a tray of fans of a device.
    mod fan, class "fan", label "Fan", plural "Fans",
    group Hardware, icon "thermometer", title "name",
    identity within ["position"]
    {
        /// Where it sits, from the outermost container to itself.
        fact POSITION: String = "position", "Position";
        /// Name.
        fact NAME: String = "name", "Name";
        /// Description.
        fact DESCRIPTION: String = "description", "Description";
        /// Model.
        fact MODEL: String = "model", "Model";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
    }
}

ci_class! {
    /// A transceiver in a port of a device.
    mod transceiver, class "transceiver", label "Transceiver", plural "Transceivers",
    group Hardware, icon "plug", title "name",
    identity within ["position"]
    {
        /// Where it sits, from the outermost container to itself.
        fact POSITION: String = "position", "Position";
        /// Name.
        fact NAME: String = "name", "Name";
        /// Description.
        fact DESCRIPTION: String = "description", "Description";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Model.
        fact MODEL: String = "model", "Model";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Version of the hardware.
        fact HARDWARE_VERSION: String = "hardware_version", "Hardware version";
    }
}

ci_class! {
    /// A chassis that with others makes one stack.
    mod stack_member, class "stack_member", label "Stack member", plural "Stack members",
    group Hardware, icon "server", title "name",
    identity within ["position"]
    {
        /// Number or name in the stack.
        fact POSITION: String = "position", "Position";
        /// Name.
        fact NAME: String = "name", "Name";
        /// Description.
        fact DESCRIPTION: String = "description", "Description";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Model.
        fact MODEL: String = "model", "Model";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Version of the hardware.
        fact HARDWARE_VERSION: String = "hardware_version", "Hardware version";
        /// Version of the firmware.
        fact FIRMWARE_VERSION: String = "firmware_version", "Firmware version";
        /// Version of the software.
        fact SOFTWARE_VERSION: String = "software_version", "Software version";
    }
}

ci_class! {
    /// A virtual network that a device knows.
    mod vlan, class "vlan", label "VLAN", plural "VLANs",
    group Network, icon "network", title "name",
    identity within ["vlan_id"]
    {
        /// Number.
        fact VLAN_ID: String = "vlan_id", "VLAN";
        /// Name.
        fact NAME: String = "name", "Name";
        /// Ports that carry it with a tag.
        fact TAGGED_PORTS: Vec<String> = "tagged_ports", "Tagged ports";
        /// Ports that carry it without a tag.
        fact UNTAGGED_PORTS: Vec<String> = "untagged_ports", "Untagged ports";
    }
}

ci_class! {
    /// What a port says is at its other end, by a protocol of the link layer.
    mod neighbor, class "neighbor", label "Neighbor", plural "Neighbors",
    group Network, icon "network", title "system_name",
    identity within ["protocol", "local_port", "chassis_id", "port_id"]
    {
        /// Protocol by which it announces itself: `lldp` or `cdp`.
        fact PROTOCOL: String = "protocol", "Protocol";
        /// Port at this end.
        fact LOCAL_PORT: String = "local_port", "Local port";
        /// Chassis at the other end, as it names itself.
        fact CHASSIS_ID: String = "chassis_id", "Chassis id";
        /// Port at the other end, as it names it.
        fact PORT_ID: String = "port_id", "Port id";
        /// Description of the port at the other end.
        fact PORT_DESCRIPTION: String = "port_description", "Port description";
        /// Name of the system at the other end.
        fact SYSTEM_NAME: String = "system_name", "System name";
        /// Description of the system at the other end.
        fact SYSTEM_DESCRIPTION: String = "system_description", "System description";
        /// Product at the other end.
        fact MODEL: String = "model", "Model";
        /// Addresses by which the other end is managed.
        fact MANAGEMENT_ADDRESSES: Vec<String> = "management_addresses", "Management addresses";
        /// What the other end announces that it does, sorted.
        fact CAPABILITIES: Vec<String> = "capabilities", "Capabilities";
        /// VLAN without tag at the other end.
        fact NATIVE_VLAN_ID: u64 = "native_vlan_id", "Native VLAN";
    }
}

ci_class! {
    /// A hardware address that a bridge has learned behind one of its ports.
    mod forwarding_entry, class "forwarding_entry", label "Forwarding entry", plural "Forwarding entries",
    group Network, icon "network", title "mac_address",
    identity within ["vlan_id", "mac_address"]
    {
        /// VLAN, or the filtering database where the device does not name the VLAN; empty without VLANs.
        fact VLAN_ID: String = "vlan_id", "VLAN";
        /// Hardware address.
        fact MAC_ADDRESS: String = "mac_address", "MAC address";
        /// Port behind which it is.
        fact PORT: String = "port", "Port";
        /// How it came there: `learned`, `own` or `configured`.
        fact ORIGIN: String = "origin", "Origin";
    }
}

ci_class! {
    /// A hardware address that a device has learned for an IP address (ARP or neighbor discovery).
    mod address_binding, class "address_binding", label "Address binding", plural "Address bindings",
    group Network, icon "network", title "address",
    identity within ["interface", "address"]
    {
        /// Interface on which it was learned.
        fact INTERFACE: String = "interface", "Interface";
        /// IP address.
        fact ADDRESS: String = "address", "Address";
        /// Hardware address.
        fact MAC_ADDRESS: String = "mac_address", "MAC address";
    }
}

ci_class! {
    /// Another router that a device exchanges routes with.
    mod routing_peer, class "routing_peer", label "Routing peer", plural "Routing peers",
    group Network, icon "route", title "address",
    identity within ["protocol", "address"]
    {
        /// Protocol: `bgp` or `ospf`.
        fact PROTOCOL: String = "protocol", "Protocol";
        /// Address of the peer.
        fact ADDRESS: String = "address", "Address";
        /// Identifier of the peer as a router.
        fact ROUTER_ID: String = "router_id", "Router id";
        /// State, such as `established` or `full`.
        fact STATE: String = "state", "State";
        /// Whether an administrator has switched it on.
        fact IS_ENABLED: bool = "is_enabled", "Enabled";
        /// Autonomous system of the peer.
        fact REMOTE_AS: u64 = "remote_as", "Remote AS";
        /// Address at this end.
        fact LOCAL_ADDRESS: String = "local_address", "Local address";
    }
}

ci_class! {
    /// Something that a printer uses up or fills.
    mod printer_supply, class "printer_supply", label "Printer supply", plural "Printer supplies",
    group Hardware, icon "card", title "description",
    identity within ["number"]
    {
        /// Number of the supply in the printer.
        fact NUMBER: String = "number", "Number";
        /// Description.
        fact DESCRIPTION: String = "description", "Description";
        /// What it is, in the words of the Printer-MIB, such as `toner`.
        fact SUPPLY_TYPE: String = "supply_type", "Type";
        /// How much is left.
        reading LEVEL_PERCENT: f64 = "level_percent", "Level", unit Percent;
    }
}

ci_class! {
    /// The battery of an uninterruptible power supply.
    mod battery, class "battery", label "Battery", plural "Batteries",
    group Hardware, icon "plug", title "name",
    identity within ["name"]
    {
        /// Name.
        fact NAME: String = "name", "Name";
        /// State: `normal`, `low`, `depleted` or `unknown`.
        fact STATE: String = "state", "State";
        /// How much is left.
        reading CHARGE_PERCENT: f64 = "charge_percent", "Charge", unit Percent;
        /// For how long it lasts.
        reading REMAINING_SECONDS: u64 = "remaining_seconds", "Lasts for", unit Seconds;
        /// Temperature.
        reading TEMPERATURE_CELSIUS: f64 = "temperature_celsius", "Temperature", unit Celsius;
        /// Voltage.
        reading VOLTAGE: f64 = "voltage", "Voltage", unit Volts;
        /// Load of the outputs.
        reading LOAD_PERCENT: f64 = "load_percent", "Load", unit Percent;
    }
}
