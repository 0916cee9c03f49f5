//! File systems and volumes.

use crate::ci_class;

ci_class! {
    /// A mounted file system.
    mod filesystem, class "filesystem", label "File system", plural "File systems",
    group Storage, icon "folder", title "mount_point",
    identity within ["mount_point"]
    {
        /// Where it is mounted.
        fact MOUNT_POINT: String = "mount_point", "Mount point";
        /// Device, share or pseudo device that holds it.
        fact DEVICE: String = "device", "Device";
        /// Type, such as `ext4`.
        fact FILESYSTEM_TYPE: String = "filesystem_type", "Type";
        /// Mount options, sorted.
        fact OPTIONS: Vec<String> = "options", "Options";
        /// UUID of the file system.
        fact UUID: String = "uuid", "UUID";
        /// Size.
        fact CAPACITY_BYTES: u64 = "capacity_bytes", "Size", unit Bytes;
        /// Whether it is mounted read-only.
        fact IS_READ_ONLY: bool = "is_read_only", "Read-only";
        /// Label of the file system.
        fact FILESYSTEM_LABEL: String = "filesystem_label", "Label";
        /// Directory of the file system that is mounted; `/` unless it is a bind mount or a subvolume.
        fact MOUNTED_DIRECTORY: String = "mounted_directory", "Mounted directory";
        /// Whether it lies on another host.
        fact IS_REMOTE: bool = "is_remote", "Remote";
        /// Files that it can hold.
        fact FILES_MAX_COUNT: u64 = "files_max_count", "Files at most";
        /// Space in use.
        reading USED_BYTES: u64 = "used_bytes", "Used", unit Bytes;
        /// Space that is left to users.
        reading AVAILABLE_BYTES: u64 = "available_bytes", "Available", unit Bytes;
        /// Files that it holds.
        reading FILES_COUNT: u64 = "files_count", "Files";
    }
}

ci_class! {
    /// A partition, logical volume, array or encrypted volume.
    mod volume, class "volume", label "Volume", plural "Volumes",
    group Storage, icon "database", title "name",
    identity within ["name"]
    {
        /// Name that the kernel or the volume manager gives it.
        fact NAME: String = "name", "Name";
        /// What it is: `partition`, `lvm`, `raid`, `crypt`, `loop`.
        fact VOLUME_TYPE: String = "volume_type", "Type";
        /// Size.
        fact CAPACITY_BYTES: u64 = "capacity_bytes", "Size", unit Bytes;
        /// UUID.
        fact UUID: String = "uuid", "UUID";
        /// Level of an array, such as `raid1`.
        fact RAID_LEVEL: String = "raid_level", "RAID level";
        /// State of an array.
        fact RAID_STATE: String = "raid_state", "RAID state";
        /// Volume group.
        fact VOLUME_GROUP: String = "volume_group", "Volume group";
        /// Block devices that it lies on.
        fact MEMBERS: Vec<String> = "members", "Lies on";
        /// Type of what it holds, such as `ext4`, `swap`, `LVM2_member` or `crypto_LUKS`.
        fact CONTENT_TYPE: String = "content_type", "Holds";
        /// UUID of what it holds.
        fact CONTENT_UUID: String = "content_uuid", "Contents' UUID";
        /// Label of what it holds.
        fact CONTENT_LABEL: String = "content_label", "Contents' label";
        /// Name that the partition table gives a partition.
        fact PARTITION_NAME: String = "partition_name", "Partition name";
        /// Whether it refuses to be written.
        fact IS_READ_ONLY: bool = "is_read_only", "Read-only";
        /// Devices that an array should have.
        fact RAID_DEVICES_COUNT: u64 = "raid_devices_count", "Devices of the array";
        /// Devices that an array lacks.
        fact RAID_DEGRADED_COUNT: u64 = "raid_degraded_count", "Devices missing";
        /// File behind a loop device.
        fact BACKING_FILE: String = "backing_file", "Backing file";
        /// Progress of an array's rebuild or check.
        reading RAID_SYNC: f64 = "raid_sync", "Rebuild", unit Percent;
    }
}

ci_class! {
    /// A partition or file that memory is swapped to.
    mod swap_area, class "swap_area", label "Swap area", plural "Swap areas",
    group Storage, icon "swap", title "path",
    identity within ["path"]
    {
        /// Device or file.
        fact PATH: String = "path", "Path";
        /// What it is: `partition` or `file`.
        fact SWAP_TYPE: String = "swap_type", "Type";
        /// Size.
        fact CAPACITY_BYTES: u64 = "capacity_bytes", "Size", unit Bytes;
        /// Priority; the highest is used first.
        fact PRIORITY: i64 = "priority", "Priority";
        /// Space in use.
        reading USED_BYTES: u64 = "used_bytes", "Used", unit Bytes;
    }
}

ci_class! {
    /// A group of volumes that the logical volume manager divides.
    mod volume_group, class "volume_group", label "Volume group", plural "Volume groups",
    group Storage, icon "layers", title "name",
    identity within ["name"]
    {
        /// Name.
        fact NAME: String = "name", "Name";
        /// UUID.
        fact UUID: String = "uuid", "UUID";
        /// Size.
        fact CAPACITY_BYTES: u64 = "capacity_bytes", "Size", unit Bytes;
        /// Space that no volume has.
        fact FREE_BYTES: u64 = "free_bytes", "Free", unit Bytes;
        /// Devices that it lies on.
        fact MEMBERS: Vec<String> = "members", "Lies on";
    }
}
