//! What answers on a network before any source has said what it is.
//!
//! A sweep sees an address and what listens there, no more. It is kept as an item of its own: it is never merged
//! with a host or device, because a sweep must not decide what something is. Whoever knows more carries the same
//! keys, and so what was seen and is not managed can be listed.

use crate::ci_class;

ci_class! {
    /// Something that answers at an address of a network, seen by a sweep from outside.
    mod discovered_host, class "discovered_host", label "Discovered host", plural "Discovered hosts",
    group Network, icon "globe", title "name",
    identity keys [SshHostKey, SnmpEngineId, MacAddress, CertificateKey, Fqdn, IpAddress, HostName]
    {
        /// Name that it gives, or its address.
        fact NAME: String = "name", "Name";
        /// Address at which it answers.
        fact ADDRESS: String = "address", "Address";
        /// Hardware address, where it is on the same network segment as the agent.
        fact MAC_ADDRESS: String = "mac_address", "MAC address";
        /// Names that it gives itself or is given: by mDNS, NetBIOS, DNS or its certificates.
        fact NAMES: Vec<String> = "names", "Names";
        /// Ports on which it accepts connections, as `tcp/22`.
        fact OPEN_PORTS: Vec<String> = "open_ports", "Open ports";
        /// How it showed itself, such as `icmp_echo`, `tcp` or `neighbor`.
        fact ANSWERED_BY: Vec<String> = "answered_by", "Answered by";
        /// Kinds of services that it announces by mDNS, such as `_ipp._tcp`.
        fact ANNOUNCED_SERVICES: Vec<String> = "announced_services", "Announced services";
        /// Operating system that its answers speak for, as a guess.
        fact OS_GUESS: String = "os_guess", "OS guess";
        /// Engine id of its SNMP agent, hexadecimal.
        fact SNMP_ENGINE_ID: String = "snmp_engine_id", "SNMP engine id";
        /// NetBIOS domain or workgroup.
        fact WORKGROUP: String = "workgroup", "Workgroup";
        /// Why what it shows is not to be believed, such as a port that accepts whatever its number.
        fact DOUBTS: String = "doubts", "Doubts";
        /// Time that its first answer took.
        reading ANSWER_SECONDS: f64 = "answer_seconds", "Answer time", unit Seconds;
    }
}
