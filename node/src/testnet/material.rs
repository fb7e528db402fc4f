//! Keys and certificates of a network: one CA, one agency, one SDK client, one key per node.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use eyre::WrapErr as _;
use quorate_p2p::cert::{
    AGENCY_VALIDITY, Authority, CHAIN_CA_VALIDITY, NODE_VALIDITY, Validity, issue_agency, issue_chain_ca,
    issue_node, issue_sdk, issue_sdk_branch,
};
use quorate_types::{NodeId, NodeKey};

/// Who certifies the nodes of one network.
pub(super) struct Authorities {
    chain: Authority,
    agency: Authority,
}

impl Authorities {
    /// Makes the chain's CA, an agency and an SDK client, and writes them to `ca/`, `agency/` and `sdk/`.
    pub(super) fn create(folder: &Path) -> eyre::Result<Self> {
        let chain = issue_chain_ca("quorate testnet", Validity::from_now(CHAIN_CA_VALIDITY))?;
        let agency = issue_agency(&chain, "testnet agency", Validity::from_now(AGENCY_VALIDITY))?;
        let clients = issue_sdk_branch(&chain, "testnet clients", Validity::from_now(AGENCY_VALIDITY))?;
        let sdk = issue_sdk(&clients, "sdk", Validity::from_now(NODE_VALIDITY))?;
        for name in ["ca", "agency", "sdk"] {
            private_folder(&folder.join(name))?;
        }
        let pairs = [("ca/ca", &chain), ("ca/sdk-branch", &clients), ("agency/agency", &agency)];
        for (path, authority) in pairs {
            write(&folder.join(format!("{path}.crt")), &authority.certificate_pem())?;
            write_secret(&folder.join(format!("{path}.key")), &authority.key_pem())?;
        }
        write(&folder.join("sdk/ca.crt"), &chain.certificate_pem())?;
        write(&folder.join("sdk/sdk.crt"), &sdk.certificate.chain_pem())?;
        write_secret(&folder.join("sdk/sdk.key"), &sdk.key_pem)?;
        Ok(Self { chain, agency })
    }

    /// Makes a node's key, has it certified, and writes `node.key`, `node.crt` and `ca.crt` to the
    /// node's folder.
    pub(super) fn certify(&self, folder: &Path, name: &str) -> eyre::Result<NodeId> {
        let key = NodeKey::generate()?;
        let certificate = issue_node(&self.agency, key.id(), name, Validity::from_now(NODE_VALIDITY))?;
        private_folder(folder)?;
        write_secret(&folder.join("node.key"), &key.to_pem()?)?;
        write(&folder.join("node.crt"), &certificate.chain_pem())?;
        write(&folder.join("ca.crt"), &self.chain.certificate_pem())?;
        Ok(key.id())
    }
}

/// A folder that only its owner reads: there are keys in it.
pub(super) fn private_folder(folder: &Path) -> eyre::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.wrap_err_with(|| format!("cannot make the folder {}", folder.display()))
}

pub(super) fn write(file: &Path, text: &str) -> eyre::Result<()> {
    fs::write(file, text).wrap_err_with(|| format!("cannot write {}", file.display()))
}

/// Only the owner reads it, from the first byte on.
pub(super) fn write_secret(file: &Path, text: &str) -> eyre::Result<()> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.wrap_err_with(|| format!("cannot write {}", file.display()))
}
