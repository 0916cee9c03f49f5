//! The built-in classes, one file per family.
//!
//! To add a class: declare it in the family's file, list it in [`ALL`], run `cargo xtask generate`.

mod compute;
mod device;
mod discovered;
mod identity;
mod machine;
mod network;
mod software;
mod storage;

pub use compute::*;
pub use device::*;
pub use discovered::*;
pub use identity::*;
pub use machine::*;
pub use network::*;
pub use software::*;
pub use storage::*;

use crate::catalog::Class;

/// Every built-in class, by family.
pub const ALL: &[&Class] = &[
    // Compute.
    &host::CLASS,
    &container::CLASS,
    &container_image::CLASS,
    // Hardware.
    &hardware::CLASS,
    &processor::CLASS,
    &memory_module::CLASS,
    &drive::CLASS,
    &pci_device::CLASS,
    &usb_device::CLASS,
    &sensor::CLASS,
    &device_module::CLASS,
    &power_supply::CLASS,
    &fan::CLASS,
    &transceiver::CLASS,
    &stack_member::CLASS,
    &printer_supply::CLASS,
    &battery::CLASS,
    // Identity.
    &user_account::CLASS,
    &user_group::CLASS,
    &certificate::CLASS,
    // Network.
    &network_device::CLASS,
    &management_access::CLASS,
    &discovered_host::CLASS,
    &network_interface::CLASS,
    &route::CLASS,
    &listening_endpoint::CLASS,
    &remote_endpoint::CLASS,
    &vlan::CLASS,
    &neighbor::CLASS,
    &forwarding_entry::CLASS,
    &address_binding::CLASS,
    &routing_peer::CLASS,
    // Software.
    &package::CLASS,
    &service_unit::CLASS,
    &process::CLASS,
    &kernel_module::CLASS,
    &scheduled_job::CLASS,
    // Storage.
    &filesystem::CLASS,
    &volume::CLASS,
    &volume_group::CLASS,
    &swap_area::CLASS,
];
