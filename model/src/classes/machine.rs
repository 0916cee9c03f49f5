//! Chassis, boards, processors, memory, disks, cards and sensors.

use crate::ci_class;

ci_class! {
    /// A machine that can be touched, or what a hypervisor shows in its place: chassis, board and firmware.
    mod hardware, class "hardware", label "Hardware", plural "Hardware",
    group Hardware, icon "cpu", title "product_name",
    identity keys [
        SmbiosUuid, ChassisSerial, BoardSerial, SystemSerial, ServiceTag, TpmKey, PermanentMacAddress, MacAddress, AssetTag
    ]
    {
        /// Vendor of the system.
        fact VENDOR: String = "vendor", "Vendor";
        /// Product name of the system.
        fact PRODUCT_NAME: String = "product_name", "Product";
        /// Version of the product.
        fact PRODUCT_VERSION: String = "product_version", "Product version";
        /// Family of the product.
        fact PRODUCT_FAMILY: String = "product_family", "Product family";
        /// Stock keeping unit of the product.
        fact PRODUCT_SKU: String = "product_sku", "SKU";
        /// Serial number of the system.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// UUID of the system, as SMBIOS gives it.
        fact SYSTEM_UUID: String = "system_uuid", "System UUID";
        /// Form of the chassis, in the words of SMBIOS, such as `Rack Mount Chassis`.
        fact CHASSIS_TYPE: String = "chassis_type", "Chassis";
        /// Vendor of the chassis.
        fact CHASSIS_VENDOR: String = "chassis_vendor", "Chassis vendor";
        /// Version of the chassis.
        fact CHASSIS_VERSION: String = "chassis_version", "Chassis version";
        /// Serial number of the chassis.
        fact CHASSIS_SERIAL: String = "chassis_serial", "Chassis serial number";
        /// Asset tag of the chassis.
        fact ASSET_TAG: String = "asset_tag", "Asset tag";
        /// Vendor of the main board.
        fact BOARD_VENDOR: String = "board_vendor", "Board vendor";
        /// Product name of the main board.
        fact BOARD_NAME: String = "board_name", "Board";
        /// Version of the main board.
        fact BOARD_VERSION: String = "board_version", "Board version";
        /// Serial number of the main board.
        fact BOARD_SERIAL: String = "board_serial", "Board serial number";
        /// Vendor of the firmware.
        fact FIRMWARE_VENDOR: String = "firmware_vendor", "Firmware vendor";
        /// Version of the firmware.
        fact FIRMWARE_VERSION: String = "firmware_version", "Firmware version";
        /// Release date of the firmware, as the vendor writes it.
        fact FIRMWARE_DATE: String = "firmware_date", "Firmware date";
        /// Revision of the firmware, as `major.minor`.
        fact FIRMWARE_REVISION: String = "firmware_revision", "Firmware revision";
        /// How the system was started: `uefi` or `bios`.
        fact BOOT_MODE: String = "boot_mode", "Boot mode";
        /// Whether secure boot is on.
        fact SECURE_BOOT: bool = "secure_boot", "Secure boot";
        /// Version of the trusted platform module's specification, such as `2`.
        fact TPM_VERSION: String = "tpm_version", "TPM";
        /// Processor packages.
        fact SOCKETS_COUNT: u64 = "sockets_count", "Sockets";
        /// Processor cores in all packages.
        fact CORES_COUNT: u64 = "cores_count", "Cores";
        /// Hardware threads in all packages.
        fact THREADS_COUNT: u64 = "threads_count", "Threads";
        /// Nodes of non-uniform memory access.
        fact NUMA_NODES_COUNT: u64 = "numa_nodes_count", "NUMA nodes";
        /// Memory of all modules, or of the blocks that the kernel manages where modules are not known.
        fact MEMORY_INSTALLED_BYTES: u64 = "memory_installed_bytes", "Memory installed", unit Bytes;
        /// Memory that the board can take.
        fact MEMORY_MAX_BYTES: u64 = "memory_max_bytes", "Memory at most", unit Bytes;
        /// Slots for memory modules.
        fact MEMORY_SLOTS_COUNT: u64 = "memory_slots_count", "Memory slots";
        /// How memory errors are corrected, such as `Multi-bit ECC`.
        fact MEMORY_ERROR_CORRECTION: String = "memory_error_correction", "Memory error correction";
        /// Weaknesses of the processors that the kernel knows, with what it does against each.
        fact VULNERABILITIES: BTreeMap<String, Value> = "vulnerabilities", "Vulnerabilities";
    }
}

ci_class! {
    /// A processor package.
    mod processor, class "processor", label "Processor", plural "Processors",
    group Hardware, icon "cpu", title "model",
    identity within ["socket"]
    {
        /// Socket, as the kernel numbers it.
        fact SOCKET: String = "socket", "Socket";
        /// Model name.
        fact MODEL: String = "model", "Model";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Cores in the package.
        fact CORES_COUNT: u64 = "cores_count", "Cores";
        /// Threads in the package.
        fact THREADS_COUNT: u64 = "threads_count", "Threads";
        /// Highest clock rate.
        fact CLOCK_MAX_HERTZ: u64 = "clock_max_hertz", "Highest clock rate", unit Hertz;
        /// Lowest clock rate.
        fact CLOCK_MIN_HERTZ: u64 = "clock_min_hertz", "Lowest clock rate", unit Hertz;
        /// Family number, as the processor itself says it.
        fact FAMILY_NUMBER: String = "family_number", "Family number";
        /// Model number, as the processor itself says it.
        fact MODEL_NUMBER: String = "model_number", "Model number";
        /// Stepping, as the processor itself says it.
        fact STEPPING: String = "stepping", "Stepping";
        /// Version of the microcode that is loaded.
        fact MICROCODE: String = "microcode", "Microcode";
        /// Features that the processor and the kernel offer, in the kernel's words, sorted.
        fact FEATURES: Vec<String> = "features", "Features";
        /// Extension for running virtual machines: `vmx` or `svm`.
        fact VIRTUALIZATION_EXTENSION: String = "virtualization_extension", "Virtualization extension";
        /// Level 1 data caches of the package together.
        fact CACHE_L1D_BYTES: u64 = "cache_l1d_bytes", "L1d cache", unit Bytes;
        /// Level 1 instruction caches of the package together.
        fact CACHE_L1I_BYTES: u64 = "cache_l1i_bytes", "L1i cache", unit Bytes;
        /// Level 2 caches of the package together.
        fact CACHE_L2_BYTES: u64 = "cache_l2_bytes", "L2 cache", unit Bytes;
        /// Level 3 caches of the package together.
        fact CACHE_L3_BYTES: u64 = "cache_l3_bytes", "L3 cache", unit Bytes;
        /// Bits of a physical address.
        fact ADDRESS_BITS_PHYSICAL: u64 = "address_bits_physical", "Physical address bits";
        /// Bits of a virtual address.
        fact ADDRESS_BITS_VIRTUAL: u64 = "address_bits_virtual", "Virtual address bits";
        /// Nodes of non-uniform memory access that the package holds.
        fact NUMA_NODES: Vec<String> = "numa_nodes", "NUMA nodes";
        /// Socket, as the board labels it.
        fact SOCKET_DESIGNATION: String = "socket_designation", "Socket label";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Part number.
        fact PART_NUMBER: String = "part_number", "Part number";
    }
}

ci_class! {
    /// A memory module in its slot.
    mod memory_module, class "memory_module", label "Memory module", plural "Memory modules",
    group Hardware, icon "memory", title "slot",
    identity within ["slot"]
    {
        /// Slot, as the board labels it.
        fact SLOT: String = "slot", "Slot";
        /// Capacity.
        fact CAPACITY_BYTES: u64 = "capacity_bytes", "Capacity", unit Bytes;
        /// Technology, such as `DDR5`.
        fact TECHNOLOGY: String = "technology", "Technology";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Part number.
        fact PART_NUMBER: String = "part_number", "Part number";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Bank, as the board labels it.
        fact BANK: String = "bank", "Bank";
        /// Form, such as `DIMM`.
        fact FORM_FACTOR: String = "form_factor", "Form factor";
        /// Highest speed, in million transfers per second.
        fact SPEED_MEGATRANSFERS: u64 = "speed_megatransfers", "Speed (MT/s)";
        /// Speed that is set, in million transfers per second.
        fact SPEED_CONFIGURED_MEGATRANSFERS: u64 = "speed_configured_megatransfers", "Speed set (MT/s)";
        /// Data width.
        fact WIDTH_BITS: u64 = "width_bits", "Data width (bits)";
        /// Ranks.
        fact RANKS_COUNT: u64 = "ranks_count", "Ranks";
        /// Voltage that is set.
        fact VOLTAGE_CONFIGURED: f64 = "voltage_configured", "Voltage set", unit Volts;
        /// Asset tag.
        fact ASSET_TAG: String = "asset_tag", "Asset tag";
    }
}

ci_class! {
    /// A disk or another block device that is no part of another one.
    mod drive, class "drive", label "Drive", plural "Drives",
    group Hardware, icon "disk", title "name",
    identity within ["name"]
    {
        /// Name that the kernel gives it.
        fact NAME: String = "name", "Name";
        /// Capacity.
        fact CAPACITY_BYTES: u64 = "capacity_bytes", "Capacity", unit Bytes;
        /// Model.
        fact MODEL: String = "model", "Model";
        /// Vendor.
        fact VENDOR: String = "vendor", "Vendor";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Version of its firmware.
        fact FIRMWARE_VERSION: String = "firmware_version", "Firmware version";
        /// World wide name.
        fact WORLD_WIDE_NAME: String = "world_wide_name", "World wide name";
        /// How it is attached, such as `nvme`, `sata` or `virtio`.
        fact TRANSPORT: String = "transport", "Transport";
        /// Whether it has turning platters.
        fact IS_ROTATIONAL: bool = "is_rotational", "Rotational";
        /// Whether it can be taken out.
        fact IS_REMOVABLE: bool = "is_removable", "Removable";
        /// Whether it refuses to be written.
        fact IS_READ_ONLY: bool = "is_read_only", "Read-only";
        /// Size of the sectors that it is addressed by.
        fact SECTOR_LOGICAL_BYTES: u64 = "sector_logical_bytes", "Logical sector", unit Bytes;
        /// Size of the sectors that it writes.
        fact SECTOR_PHYSICAL_BYTES: u64 = "sector_physical_bytes", "Physical sector", unit Bytes;
        /// Place of the controller that it is attached to, as the bus names it.
        fact CONTROLLER_ADDRESS: String = "controller_address", "Controller";
        /// What the drive says of itself: `passed`, or what it warns of.
        fact HEALTH: String = "health", "Health";
        /// Temperature.
        reading TEMPERATURE_CELSIUS: f64 = "temperature_celsius", "Temperature", unit Celsius;
        /// Share of its writing endurance that is used; may exceed 100.
        reading WEAR: f64 = "wear", "Wear", unit Percent;
        /// Time that it was on.
        reading POWER_ON_SECONDS: u64 = "power_on_seconds", "Power-on time", unit Seconds;
        /// Times that it was turned on.
        reading POWER_CYCLES_COUNT: u64 = "power_cycles_count", "Power cycles";
        /// Errors of the medium that it could not correct.
        reading MEDIA_ERRORS_COUNT: u64 = "media_errors_count", "Media errors";
        /// Sectors that it replaced by spare ones.
        reading REALLOCATED_SECTORS_COUNT: u64 = "reallocated_sectors_count", "Reallocated sectors";
        /// Bytes that were read since the start.
        reading READ_BYTES: u64 = "read_bytes", "Read", unit Bytes;
        /// Bytes that were written since the start.
        reading WRITTEN_BYTES: u64 = "written_bytes", "Written", unit Bytes;
    }
}

ci_class! {
    /// A device on a PCI bus.
    mod pci_device, class "pci_device", label "PCI device", plural "PCI devices",
    group Hardware, icon "card", title "name",
    identity within ["address"]
    {
        /// Address on the bus, as `domain:bus:device.function`.
        fact ADDRESS: String = "address", "Address";
        /// Vendor and device in words, when the ids are known.
        fact NAME: String = "name", "Name";
        /// Kind of device in the words of the PCI class codes.
        fact DEVICE_CLASS: String = "device_class", "Device class";
        /// Vendor id, hexadecimal.
        fact VENDOR_ID: String = "vendor_id", "Vendor id";
        /// Device id, hexadecimal.
        fact DEVICE_ID: String = "device_id", "Device id";
        /// Driver that is bound to it.
        fact DRIVER: String = "driver", "Driver";
        /// Vendor in words.
        fact VENDOR: String = "vendor", "Vendor";
        /// Vendor and product ids of the card that it sits on, hexadecimal, as `vendor:product`.
        fact SUBSYSTEM_ID: String = "subsystem_id", "Subsystem id";
        /// Card that it sits on, in words, when the ids are known.
        fact SUBSYSTEM_NAME: String = "subsystem_name", "Subsystem";
        /// Revision, hexadecimal.
        fact REVISION: String = "revision", "Revision";
        /// Whether it is a graphics or compute accelerator.
        fact IS_GPU: bool = "is_gpu", "GPU";
        /// Memory of its own, of a graphics or compute accelerator.
        fact MEMORY_BYTES: u64 = "memory_bytes", "Memory", unit Bytes;
        /// Version of the firmware of a graphics or compute accelerator.
        fact FIRMWARE_VERSION: String = "firmware_version", "Firmware version";
        /// Id that the manufacturer gave this one accelerator.
        fact UNIQUE_ID: String = "unique_id", "Unique id";
        /// Node of non-uniform memory access that it is close to.
        fact NUMA_NODE: String = "numa_node", "NUMA node";
        /// Speed and width of its link, such as `16.0 GT/s x8`.
        fact LINK: String = "link", "Link";
    }
}

ci_class! {
    /// A device on a USB bus.
    mod usb_device, class "usb_device", label "USB device", plural "USB devices",
    group Hardware, icon "usb", title "name",
    identity within ["address"]
    {
        /// Place in the tree of hubs, such as `1-1.4`.
        fact ADDRESS: String = "address", "Address";
        /// Vendor and product in the device's own words.
        fact NAME: String = "name", "Name";
        /// Vendor id, hexadecimal.
        fact VENDOR_ID: String = "vendor_id", "Vendor id";
        /// Product id, hexadecimal.
        fact PRODUCT_ID: String = "product_id", "Product id";
        /// Serial number.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Kind of device in the words of the USB class codes.
        fact DEVICE_CLASS: String = "device_class", "Device class";
        /// Version of USB that it speaks.
        fact USB_VERSION: String = "usb_version", "USB version";
        /// Speed of the link.
        fact SPEED_BITS_PER_SECOND: u64 = "speed_bits_per_second", "Speed", unit BitsPerSecond;
        /// Drivers that are bound to its interfaces.
        fact DRIVERS: Vec<String> = "drivers", "Drivers";
    }
}

ci_class! {
    /// A sensor of temperature, voltage, fan speed or power.
    mod sensor, class "sensor", label "Sensor", plural "Sensors",
    group Hardware, icon "thermometer", title "label",
    identity within ["chip", "channel"]
    {
        /// Chip or driver that has it.
        fact CHIP: String = "chip", "Chip";
        /// Channel of the chip, such as `temp1`.
        fact CHANNEL: String = "channel", "Channel";
        /// What it measures, in the words of the chip.
        fact LABEL: String = "label", "Label";
        /// Temperature at which the chip warns or shuts down.
        fact TEMPERATURE_CRITICAL_CELSIUS: f64 = "temperature_critical_celsius", "Critical temperature", unit Celsius;
        /// Temperature.
        reading TEMPERATURE_CELSIUS: f64 = "temperature_celsius", "Temperature", unit Celsius;
        /// Fan speed.
        reading FAN_SPEED: f64 = "fan_speed", "Fan speed", unit RevolutionsPerMinute;
        /// Voltage.
        reading VOLTAGE: f64 = "voltage", "Voltage", unit Volts;
        /// Power.
        reading POWER: f64 = "power", "Power", unit Watts;
        /// Current, in amperes.
        reading CURRENT_AMPERES: f64 = "current_amperes", "Current (A)";
    }
}
