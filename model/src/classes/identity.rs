//! Users, groups and certificates.

use crate::ci_class;

ci_class! {
    /// An account on a host.
    mod user_account, class "user_account", label "User account", plural "User accounts",
    group Identity, icon "user", title "name",
    identity within ["name"]
    {
        /// Login name.
        fact NAME: String = "name", "Name";
        /// Number of the account.
        fact UID: u64 = "uid", "User number";
        /// Number of its main group.
        fact GID: u64 = "gid", "Group number";
        /// Real name.
        fact FULL_NAME: String = "full_name", "Full name";
        /// Home directory.
        fact HOME: String = "home", "Home directory";
        /// Login shell.
        fact SHELL: String = "shell", "Shell";
        /// Groups that it belongs to.
        fact GROUPS: Vec<String> = "groups", "Groups";
        /// Whether a password is set, and whether the account is locked: `set`, `locked`, `empty` or `none`.
        fact PASSWORD_STATE: String = "password_state", "Password";
        /// Whether sudo lets it act as root.
        fact MAY_SUDO: bool = "may_sudo", "May use sudo";
        /// What sudo lets it do, in the words of the sudoers files.
        fact SUDO_RULES: Vec<String> = "sudo_rules", "Sudo rules";
        /// Method that protects the stored password, such as `yescrypt`; never the password itself.
        fact PASSWORD_METHOD: String = "password_method", "Password method";
        /// Day on which the password was changed last.
        fact PASSWORD_CHANGED_AT: Timestamp = "password_changed_at", "Password changed";
        /// Day on which the account ends.
        fact EXPIRES_AT: Timestamp = "expires_at", "Expires";
        /// Whether its shell lets a person log in.
        fact MAY_LOG_IN: bool = "may_log_in", "May log in";
        /// Fingerprints of the SSH keys that may log in, with type and comment.
        fact AUTHORIZED_KEYS: Vec<String> = "authorized_keys", "Authorized keys";
    }
}

ci_class! {
    /// A group of accounts on a host.
    mod user_group, class "user_group", label "User group", plural "User groups",
    group Identity, icon "users", title "name",
    identity within ["name"]
    {
        /// Name.
        fact NAME: String = "name", "Name";
        /// Number of the group.
        fact GID: u64 = "gid", "Group number";
        /// Accounts that the group lists.
        fact MEMBERS: Vec<String> = "members", "Members";
        /// What sudo lets its members do, in the words of the sudoers files.
        fact SUDO_RULES: Vec<String> = "sudo_rules", "Sudo rules";
    }
}

ci_class! {
    /// An X.509 certificate that lies on a host or is in use there.
    mod certificate, class "certificate", label "Certificate", plural "Certificates",
    group Identity, icon "certificate", title "subject",
    identity within ["path", "fingerprint"]
    {
        /// File that holds it, or the endpoint that shows it.
        fact PATH: String = "path", "Place";
        /// SHA-256 of the certificate, hexadecimal.
        fact FINGERPRINT: String = "fingerprint", "Fingerprint";
        /// Subject.
        fact SUBJECT: String = "subject", "Subject";
        /// Issuer.
        fact ISSUER: String = "issuer", "Issuer";
        /// Serial number, hexadecimal.
        fact SERIAL_NUMBER: String = "serial_number", "Serial number";
        /// Names and addresses that it is valid for.
        fact ALTERNATIVE_NAMES: Vec<String> = "alternative_names", "Alternative names";
        /// Valid from.
        fact NOT_BEFORE: Timestamp = "not_before", "Valid from";
        /// Valid until.
        fact NOT_AFTER: Timestamp = "not_after", "Valid until";
        /// Algorithm and size of its key.
        fact KEY_ALGORITHM: String = "key_algorithm", "Key";
        /// Algorithm that its issuer signed it with.
        fact SIGNATURE_ALGORITHM: String = "signature_algorithm", "Signature";
        /// What its key may be used for.
        fact KEY_USAGES: Vec<String> = "key_usages", "Key usages";
        /// What programs name the file on their command line or in their configuration.
        fact USED_BY: Vec<String> = "used_by", "Used by";
        /// Whether it may sign others.
        fact IS_AUTHORITY: bool = "is_authority", "Authority";
        /// Whether it signed itself.
        fact IS_SELF_SIGNED: bool = "is_self_signed", "Self-signed";
    }
}
