//! Recognizes the cloud that the system runs in, from the firmware and from what cloud-init left behind.
//!
//! Only files are read: no metadata service is asked, because an agent that opens connections of its own accord
//! would be a surprise on a host.

use crate::files::{Refusal, read_to_string_limited, read_trimmed, refusal};
use collector::{Run, Target};
use model::classes::host;
use model::{IdentityKey, KeyType, Observation, Realm};
use serde_json::Value as Json;

/// The longest instance data that is read; user data in it may be long, but is cut by the clouds at 64 KiB.
const INSTANCE_DATA_BYTES_MAX: usize = 2 * 1024 * 1024;

const INSTANCE_DATA: &str = "/run/cloud-init/instance-data.json";

/// Adds what is known of the cloud.
pub(super) fn look(seen: &mut Observation, target: &Target, run: &mut Run<'_>) {
    let mut known = Cloud { provider: of_firmware(target), ..Cloud::default() };
    match read_to_string_limited(&target.path(INSTANCE_DATA), INSTANCE_DATA_BYTES_MAX) {
        Ok(text) => match serde_json::from_str(&text) {
            Ok(data) => known.merge(instance_data(&data)),
            Err(error) => run.failed(INSTANCE_DATA, error),
        },
        Err(error) if refusal(&error) == Refusal::NotFound => {}
        Err(error) => run.failed(INSTANCE_DATA, error),
    }
    if known.instance_id.is_none() {
        known.instance_id = read_trimmed(&target.path("/var/lib/cloud/data/instance-id"))
            .filter(|id| is_instance_id(id));
    }
    if known.instance_id.is_none() {
        known.instance_id = instance_of_firmware(target, known.provider.as_deref());
    }
    for (attribute, value) in [
        (&host::CLOUD_PROVIDER, &known.provider),
        (&host::CLOUD_INSTANCE_ID, &known.instance_id),
        (&host::CLOUD_INSTANCE_TYPE, &known.instance_type),
        (&host::CLOUD_ACCOUNT, &known.account),
        (&host::CLOUD_REGION, &known.region),
        (&host::CLOUD_ZONE, &known.zone),
        (&host::CLOUD_IMAGE, &known.image),
    ] {
        if let Some(value) = value {
            seen.set(attribute, value.clone());
        }
    }
    if let (Some(provider), Some(id)) = (&known.provider, &known.instance_id) {
        let key =
            IdentityKey::new(KeyType::CloudId, Realm::everywhere(), &format!("{provider}/{id}"));
        if let Some(key) = key
            && let Err(place) = seen.keys.binary_search(&key)
        {
            seen.keys.insert(place, key);
        }
    }
}

/// Whether an id was given by a cloud; cloud-init invents `iid-…` and names after the data source without one.
fn is_instance_id(id: &str) -> bool {
    !id.starts_with("iid-") && !id.starts_with("nocloud") && id != "None"
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Cloud {
    provider: Option<String>,
    instance_id: Option<String>,
    instance_type: Option<String>,
    account: Option<String>,
    region: Option<String>,
    zone: Option<String>,
    image: Option<String>,
}

impl Cloud {
    fn merge(&mut self, other: Self) {
        self.provider = other.provider.or(self.provider.take());
        self.instance_id = other.instance_id;
        self.instance_type = other.instance_type;
        self.account = other.account;
        self.region = other.region;
        self.zone = other.zone;
        self.image = other.image;
    }
}

/// The cloud that the firmware names.
fn of_firmware(target: &Target) -> Option<String> {
    const MARKS: [(&str, &str, &str); 16] = [
        ("sys_vendor", "Amazon EC2", "aws"),
        ("bios_vendor", "Amazon EC2", "aws"),
        ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure"),
        ("product_name", "Google Compute Engine", "gcp"),
        ("chassis_asset_tag", "OracleCloud.com", "oracle"),
        ("sys_vendor", "DigitalOcean", "digitalocean"),
        ("sys_vendor", "Hetzner", "hetzner"),
        ("sys_vendor", "Scaleway", "scaleway"),
        ("sys_vendor", "Alibaba Cloud", "alibaba"),
        ("sys_vendor", "Tencent Cloud", "tencent"),
        ("sys_vendor", "Vultr", "vultr"),
        ("sys_vendor", "UpCloud", "upcloud"),
        ("sys_vendor", "Linode", "akamai"),
        ("sys_vendor", "Akamai", "akamai"),
        ("sys_vendor", "Exoscale", "exoscale"),
        ("product_name", "OpenStack", "openstack"),
    ];
    MARKS.iter().find_map(|(file, start, name)| {
        let text = read_trimmed(&target.path(&format!("/sys/class/dmi/id/{file}")))?;
        text.starts_with(start).then(|| (*name).to_owned())
    })
}

/// The instance's id, in those clouds that write it into the firmware.
fn instance_of_firmware(target: &Target, provider: Option<&str>) -> Option<String> {
    let (file, start) = match provider? {
        "aws" => ("board_asset_tag", "i-"),
        "digitalocean" | "hetzner" | "vultr" => ("product_serial", ""),
        _ => return None,
    };
    read_trimmed(&target.path(&format!("/sys/class/dmi/id/{file}")))
        .filter(|id| id.starts_with(start))
}

/// What the standardized part of cloud-init's instance data says, and what only some clouds add.
fn instance_data(data: &Json) -> Cloud {
    let text = |pointer: &str| {
        let text = data.pointer(pointer)?.as_str()?.trim();
        let is_known = !text.is_empty() && text != "unknown" && text != "None" && text != "none";
        is_known.then(|| text.to_owned())
    };
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(pointer));
    Cloud {
        provider: first(&["/v1/cloud_name", "/v1/cloud-name"])
            .filter(|name| name != "nocloud" && name != "configdrive")
            .map(|name| if name == "gce" { "gcp".to_owned() } else { name }),
        instance_id: first(&["/v1/instance_id", "/v1/instance-id"]).filter(|id| is_instance_id(id)),
        instance_type: first(&[
            "/ds/meta_data/instance-type",
            "/ds/meta_data/instance_type",
            "/ds/meta_data/imds/compute/vmSize",
            "/ds/dynamic/instance-identity/document/instanceType",
        ]),
        account: first(&[
            "/ds/dynamic/instance-identity/document/accountId",
            "/ds/meta_data/imds/compute/subscriptionId",
            "/ds/meta_data/project_id",
        ]),
        region: text("/v1/region"),
        zone: first(&["/v1/availability_zone", "/v1/availability-zone"]),
        image: first(&[
            "/ds/meta_data/ami-id",
            "/ds/dynamic/instance-identity/document/imageId",
            "/ds/meta_data/image",
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_cloud_init_invented_is_none() {
        let data =
            serde_json::json!({"v1": {"cloud_name": "nocloud", "instance_id": "iid-local01"}});
        assert_eq!(instance_data(&data), Cloud::default());
    }

    #[test]
    fn instance_data_of_another_form_is_no_harm() {
        for text in ["null", "[]", "{\"v1\": 3}", "{\"v1\": {\"region\": [1]}}"] {
            assert_eq!(instance_data(&serde_json::from_str(text).unwrap()), Cloud::default());
        }
    }

    #[test]
    fn the_firmware_names_cloud_and_instance() {
        let directory = tempfile::tempdir().unwrap();
        let dmi = directory.path().join("sys/class/dmi/id");
        std::fs::create_dir_all(&dmi).unwrap();
        std::fs::write(dmi.join("sys_vendor"), "Amazon EC2\n").unwrap();
        std::fs::write(dmi.join("board_asset_tag"), "i-0123456789abcdef0\n").unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: directory.path().to_owned(),
            remote: None,
        };
        let mut seen = Observation::of(&host::CLASS, "host");
        look(&mut seen, &target, &mut Run::new(&mut Vec::new()));
        assert_eq!(seen.facts["cloud_provider"].as_text(), Some("aws"));
        assert_eq!(seen.keys[0].value, "aws/i-0123456789abcdef0");
    }

    #[test]
    fn an_instance_is_recognized_with_its_place() {
        let data = serde_json::json!({
            "v1": {"cloud_name": "aws", "instance_id": "i-0123456789abcdef0", "region": "eu-central-1",
                   "availability_zone": "eu-central-1a"},
            "ds": {"meta_data": {"instance-type": "m7g.large", "ami-id": "ami-0123"}}
        });
        let cloud = instance_data(&data);
        assert_eq!(cloud.provider.as_deref(), Some("aws"));
        assert_eq!(cloud.zone.as_deref(), Some("eu-central-1a"));
        assert_eq!(cloud.instance_type.as_deref(), Some("m7g.large"));
    }
}
