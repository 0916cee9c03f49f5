//! What the authority signs, and what becomes of its files.

use super::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType};
use std::fs;
use x509_parser::prelude::{FromDer, X509Certificate};

fn issue(authority: &Authority, request: &[u8]) -> Result<Issued, Error> {
    authority.issue_agent(request, agent_id(7), now(), DAY)
}

#[test]
fn a_signing_request_whose_signature_is_wrong_is_refused() {
    let mut request = AgentKey::generate().unwrap().csr_der().unwrap();
    // The last byte belongs to the signature.
    *request.last_mut().unwrap() ^= 1;
    assert!(matches!(issue(&authority(), &request), Err(Error::SigningRequestInvalid { .. })));
}

#[test]
fn a_signing_request_with_the_key_of_another_is_refused() {
    let (mine, other) = (AgentKey::generate().unwrap(), AgentKey::generate().unwrap());
    let (mut request, foreign) = (mine.csr_der().unwrap(), other.csr_der().unwrap());
    // The public key is 65 bytes that begin with the mark of an uncompressed point.
    let place = |der: &[u8]| {
        der.windows(4).position(|bytes| bytes == [0x03, 0x42, 0x00, 0x04]).unwrap() + 4
    };
    let (to, from) = (place(&request), place(&foreign));
    request[to..to + 64].copy_from_slice(&foreign[from..from + 64]);
    assert!(matches!(issue(&authority(), &request), Err(Error::SigningRequestInvalid { .. })));
}

#[test]
fn a_signing_request_over_the_limit_is_refused_unread() {
    let request = vec![0x30; SIGNING_REQUEST_BYTES_MAX + 1];
    let error = issue(&authority(), &request).unwrap_err();
    assert!(matches!(error, Error::SigningRequestTooLong { bytes: 4097, limit: 4096 }));
}

#[test]
fn a_cut_or_flipped_signing_request_never_gives_a_certificate_for_another_key() {
    let authority = authority();
    let key = AgentKey::generate().unwrap();
    let request = key.csr_der().unwrap();
    for length in 0..request.len() {
        assert!(issue(&authority, &request[..length]).is_err());
    }
    for index in 0..request.len() {
        let mut flipped = request.clone();
        flipped[index] ^= 0x55;
        // The tag of the outer algorithm name is neither signed nor used; a flip there may pass, for the same key.
        if let Ok(issued) = issue(&authority, &flipped) {
            assert_eq!(issued.spki_sha256, key.spki_sha256(), "byte {index}");
        }
    }
}

#[test]
fn keys_of_other_kinds_are_refused() {
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let error = issue(&authority(), request.der()).unwrap_err();
        assert!(error.to_string().contains("P-256"), "{error}");
    }
}

#[test]
fn names_purposes_and_powers_in_a_signing_request_are_ignored() {
    let mut wishes = CertificateParams::default();
    wishes.distinguished_name.push(rcgen::DnType::CommonName, "control plane");
    wishes.subject_alt_names =
        vec![SanType::URI("dharma://control-plane".to_owned().try_into().unwrap())];
    wishes.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    wishes.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = AgentKey::generate().unwrap();
    let request = wishes.serialize_request(key.pair()).unwrap();
    let issued = issue(&authority(), request.der()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&issued.chain_der[0]).unwrap();
    assert!(!certificate.is_ca());
    assert_eq!(certificate.subject().to_string(), format!("CN={}", agent_id(7)));
    let usage = certificate.extended_key_usage().unwrap().unwrap();
    assert!(usage.value.client_auth && !usage.value.server_auth);
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 1);
    assert!(
        names.value.general_names[0]
            .to_string()
            .contains(&format!("dharma://agent/{}", agent_id(7)))
    );
}

#[test]
fn the_validity_of_a_certificate_can_be_read_and_of_nonsense_cannot() {
    let authority = authority();
    let issued = issue(&authority, &AgentKey::generate().unwrap().csr_der().unwrap()).unwrap();
    let (begin, end) = certificate_validity(&issued.chain_der[0]).unwrap();
    assert!(begin < now() && end > now() + DAY - Duration::from_secs(60));
    assert_eq!(end, issued.not_after);
    assert_eq!(certificate_validity(b"nonsense"), None);
}

#[test]
fn every_certificate_has_its_own_serial() {
    let authority = authority();
    let request = AgentKey::generate().unwrap().csr_der().unwrap();
    let serials: std::collections::BTreeSet<String> =
        (0..64).map(|_| issue(&authority, &request).unwrap().serial).collect();
    assert_eq!(serials.len(), 64);
    assert!(serials.iter().all(|serial| serial.len() == 32));
}

#[test]
fn a_name_that_cannot_stand_in_a_certificate_is_refused() {
    for name in ["", "a b", "ä", "-.", "under_score space"] {
        let error = authority().issue_server(&[name.to_owned()], now()).unwrap_err();
        assert!(matches!(error, Error::InvalidName { .. }), "{name}: {error}");
    }
}

#[test]
fn the_second_start_finds_the_same_authority() {
    let directory = tempfile::tempdir().unwrap();
    let first = Authority::load_or_create(directory.path(), now()).unwrap();
    let second = Authority::load_or_create(directory.path(), now() + DAY).unwrap();
    assert_eq!(first.pin(), second.pin());
    assert_eq!(first.root_der(), second.root_der());
}

#[test]
fn a_half_or_damaged_authority_is_never_replaced_by_a_new_one() {
    for name in ["root.pem", "root.key.pem"] {
        let directory = tempfile::tempdir().unwrap();
        Authority::load_or_create(directory.path(), now()).unwrap();
        let path = directory.path().join(name);
        fs::write(&path, "nonsense").unwrap();
        let error = Authority::load_or_create(directory.path(), now()).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        fs::remove_file(&path).unwrap();
        let error = Authority::load_or_create(directory.path(), now()).unwrap_err();
        assert!(matches!(error, Error::AuthorityIncomplete { .. }), "{error}");
    }
}

#[test]
fn a_root_key_of_another_root_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    Authority::load_or_create(directory.path(), now()).unwrap();
    AgentKey::generate().unwrap().store(&directory.path().join("root.key.pem")).unwrap();
    let error = Authority::load_or_create(directory.path(), now()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused_and_what_we_write_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    AgentKey::generate().unwrap().store(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    AgentKey::load(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(AgentKey::load(&path), Err(Error::KeyExposed { mode: 0o640, .. })));
}

#[test]
fn a_key_is_replaced_whole_and_a_left_over_temporary_file_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    fs::write(directory.path().join("key.pem.new"), "left over").unwrap();
    let key = AgentKey::generate().unwrap();
    key.store(&path).unwrap();
    key.store(&path).unwrap();
    assert_eq!(AgentKey::load(&path).unwrap().spki_sha256(), key.spki_sha256());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn certificates_survive_the_way_through_pem() {
    let authority = authority();
    let roots = vec![authority.root_der().to_vec(), authority.root_der().to_vec()];
    assert_eq!(certificates_from_pem(certificates_to_pem(&roots).as_bytes()), Some(roots));
    assert_eq!(certificates_from_pem(b"nonsense"), None);
    assert_eq!(
        certificates_from_pem(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"),
        None
    );
}

#[test]
fn no_secret_appears_in_debug_output() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::load_or_create(directory.path(), now()).unwrap();
    let key = AgentKey::generate().unwrap();
    let identity = server_identity(&authority);
    let connector = uplink(&authority, &key, &issue(&authority, &key.csr_der().unwrap()).unwrap());
    let shown = format!("{authority:?} {key:?} {identity:?} {connector:?}");
    assert!(shown.len() < 600, "{shown}");
    let root_key = fs::read_to_string(directory.path().join("root.key.pem")).unwrap();
    let agents_key = key.pair().serialize_pem();
    for line in root_key.lines().chain(agents_key.lines()) {
        if line.len() > 16 && !line.starts_with('-') {
            assert!(!shown.contains(line.get(..16).unwrap()), "{shown}");
        }
    }
}
