//! Keys and certificates of one control plane, which nobody else trusts.

use std::{
    fs,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};

/// Who a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    name: &'static str,
    group: Option<&'static str>,
}

/// May do everything.
pub const ADMINISTRATOR: User = User { name: "admin", group: Some("system:masters") };

/// May do what a kube-proxy does.
pub const KUBE_PROXY: User = User { name: "system:kube-proxy", group: None };

/// May do what manifests/rbac.yaml allows the agent's service account, once it is applied.
pub const WAGGLE: User = User { name: "system:serviceaccount:kube-system:waggle", group: None };

impl User {
    /// The name of its files, without an extension.
    pub(super) fn file(self) -> &'static str {
        self.name.rsplit(':').next().unwrap_or(self.name)
    }
}

/// A certificate, or a bare public key, and the key that is proven by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Who signs.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    certificate: PathBuf,
    folder: PathBuf,
}

impl Authority {
    /// Makes one, whose files are below a folder.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let mut params = named("waggle", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let certificate = folder.join("authority.crt");
        write(&certificate, &issuer.pem())?;
        Ok(Self { issuer, certificate, folder: folder.to_owned() })
    }

    /// What clients and the server trust.
    pub(super) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// For a server at these addresses.
    pub(super) fn server(&self, addresses: &[IpAddr]) -> Result<Pair> {
        let mut params = named("kube-apiserver", None);
        params.subject_alt_names = addresses.iter().copied().map(SanType::IpAddress).collect();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue("serving", params)
    }

    /// For a client.
    pub(super) fn client(&self, user: User) -> Result<Pair> {
        let mut params = named(user.name, user.group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(user.file(), params)
    }

    /// For tokens of service accounts: no certificate, but a public key.
    pub(super) fn signer(&self) -> Result<Pair> {
        let key = KeyPair::generate()?;
        self.store("service-accounts", &key.public_key_pem(), &key)
    }

    fn issue(&self, name: &str, mut params: CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.signed_by(&key, &self.issuer)?;
        self.store(name, &certificate.pem(), &key)
    }

    fn store(&self, name: &str, certificate: &str, key: &KeyPair) -> Result<Pair> {
        let path = |extension: &str| self.folder.join(format!("{name}.{extension}"));
        let pair = Pair { certificate: path("crt"), key: path("key") };
        write(&pair.certificate, certificate)?;
        write(&pair.key, &key.serialize_pem())?;
        Ok(pair)
    }
}

fn named(name: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params
}

/// For us alone to read.
fn write(path: &Path, text: &str) -> Result<()> {
    let open = fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path);
    open.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{ADMINISTRATOR, Authority, KUBE_PROXY, WAGGLE};

    #[test]
    fn every_file_is_for_its_owner_alone_and_no_two_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path()).unwrap();
        authority.server(&["192.0.2.1".parse().unwrap()]).unwrap();
        authority.signer().unwrap();
        for user in [ADMINISTRATOR, KUBE_PROXY, WAGGLE] {
            authority.client(user).unwrap();
        }
        let files = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
        let mut found: Vec<_> = files
            .map(|file| (file.file_name(), file.metadata().unwrap().permissions().mode() & 0o777))
            .map(|(name, mode)| (name.into_string().unwrap(), mode))
            .collect();
        found.sort();
        let expected = [
            "admin.crt",
            "admin.key",
            "authority.crt",
            "kube-proxy.crt",
            "kube-proxy.key",
            "service-accounts.crt",
            "service-accounts.key",
            "serving.crt",
            "serving.key",
            "waggle.crt",
            "waggle.key",
        ];
        assert_eq!(found, expected.map(|name| (name.to_owned(), 0o600)));
    }
}
