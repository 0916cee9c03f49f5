//! Chassis, boards, processors, memory, disks, cards and sensors.

use crate::ci_class;

ci_class! {
    /// A machine that can be touched, or what a hypervisor shows in its place: chassis, board and firmware.
    mod hardware, class "hardware", label "Hardware", plural "Hardware",
    group Hardware, icon "cpu", title "product_name",
    identity keys [SmbiosUuid, ChassisSerial, BoardSerial, MacAddress]
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
        /// How the system was started: `uefi` or `bios`.
        fact BOOT_MODE: String = "boot_mode", "Boot mode";
        /// Whether secure boot is on.
        fact SECURE_BOOT: bool = "secure_boot", "Secure boot";
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
        /// Temperature.
        reading TEMPERATURE_CELSIUS: f64 = "temperature_celsius", "Temperature", unit Celsius;
        /// Fan speed.
        reading FAN_SPEED: f64 = "fan_speed", "Fan speed", unit RevolutionsPerMinute;
        /// Voltage.
        reading VOLTAGE: f64 = "voltage", "Voltage", unit Volts;
        /// Power.
        reading POWER: f64 = "power", "Power", unit Watts;
    }
}
