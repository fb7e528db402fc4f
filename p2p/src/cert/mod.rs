//! Certificates: issuing them and reading them.
//!
//! ```text
//! chain CA (ed25519, 10 years, OU chain)
//!   |- agency (ed25519, 5 years, OU agency)
//!   |    `- node (ed25519: its node key, 2 years, OU node)       admitted to P2P
//!   `- SDK branch (ECDSA P-256, 5 years, OU sdk)
//!        `- SDK client (ECDSA P-256, 2 years, OU sdk)            never admitted to P2P
//! ```
//! The role stands in the subject's organisational unit (OU). Serial numbers are random, so that a
//! renewed certificate never shares its predecessor's fate on a revocation list.

mod issue;
mod read;
mod role;

pub use issue::{
    AGENCY_VALIDITY, Authority, CHAIN_CA_VALIDITY, CRL_VALIDITY, Issued, NODE_VALIDITY, SdkIdentity,
    Validity, issue_agency, issue_chain_ca, issue_crl, issue_node, issue_sdk, issue_sdk_branch,
};
pub(crate) use read::shown_date;
pub use read::{CertificateDetails, read_certificates, read_crls};
pub use role::Role;
