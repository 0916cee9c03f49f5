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
        /// Space in use.
        reading USED_BYTES: u64 = "used_bytes", "Used", unit Bytes;
        /// Space that is left to users.
        reading AVAILABLE_BYTES: u64 = "available_bytes", "Available", unit Bytes;
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
    }
}
