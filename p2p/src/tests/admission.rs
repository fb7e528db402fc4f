//! Who is refused at the door, in which words, and that nothing of theirs gets in.

use std::time::{Duration, SystemTime};

use rustls::{pki_types::UnixTime, server::danger::ClientCertVerifier};

use super::{Chain, Identity, assert_only_good_peers_are_heard, assert_they_talk, connect, hello};
use crate::{
    NetworkError,
    admission::{Admission, Check, NodeVerifier, Side},
    cert::{
        AGENCY_VALIDITY, CRL_VALIDITY, CertificateDetails, NODE_VALIDITY, Role, Validity, issue_crl,
        issue_sdk, issue_sdk_branch, read_certificates,
    },
};

const DAY: Duration = Duration::from_hours(24);

/// A bad peer dials a good node; both sides learn why, and the good node hears nothing of it.
async fn refused_in_words(chain: &Chain, bad: Identity, at_victim: &str, at_bad: &str) -> (String, String) {
    let mut victim = chain.identity(1).start(&[]).await;
    let mut dialer = bad.start(&[&victim]).await;
    let told_victim = victim.refused(at_victim).await;
    let told_dialer = dialer.refused(at_bad).await;
    assert_eq!(dialer.network.broadcast(&"frame".into(), None), 0, "nobody to send to");
    assert!(dialer.heard.is_empty());
    assert_only_good_peers_are_heard(&mut victim, &chain.identity(3), bad.id()).await;
    (told_victim, told_dialer)
}

#[tokio::test]
async fn another_chains_certificate_is_refused() {
    // It trusts the right CA, but was certified under another one; that one's name changes nothing.
    for name in ["chain", "other"] {
        let (chain, other) = (Chain::new(), Chain::named(name));
        let bad = Identity { ca: chain.ca.certificate().clone(), ..other.identity(2) };
        let words = "was not issued under this chain's CA chain";
        let (told, _) = refused_in_words(&chain, bad, words, "does not lead to the peer's chain CA").await;
        assert!(told.contains("certificate of node2 (key"), "{told}");
    }
}

#[tokio::test]
async fn a_missing_agency_is_named() {
    let chain = Chain::new();
    let mut bad = chain.identity(2);
    bad.certificates.truncate(1);
    let (told, _) = refused_in_words(&chain, bad, "agency-a", "lacks the agency's certificate").await;
    assert!(told.contains("came without the certificate of its issuer agency-a"), "{told}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_its_date() {
    let chain = Chain::new();
    let now = SystemTime::now();
    let validity = Validity { not_before: now - 30 * DAY, not_after: now - DAY };
    let bad = chain.identity_until(2, validity);
    let (told, told_bad) = refused_in_words(&chain, bad, "expired on", "it has expired").await;
    let date = crate::cert::shown_date(now - DAY);
    assert!(told.contains("certificate of node2 (key") && told.contains(&date[..10]), "{told}: {date}");
    assert!(told_bad.contains("our certificate of node2") && told_bad.contains(&date[..10]), "{told_bad}");
}

#[tokio::test]
async fn a_certificate_of_the_future_is_refused() {
    let chain = Chain::new();
    let now = SystemTime::now();
    let bad = chain.identity_until(2, Validity { not_before: now + DAY, not_after: now + 2 * DAY });
    refused_in_words(&chain, bad, "is not valid before", "not valid yet by the peer's clock").await;
}

#[tokio::test]
async fn a_certificate_of_the_sdk_branch_is_refused() {
    let chain = Chain::new();
    let bad = node_with_role(&chain, 2, "sdk");
    let (told, told_bad) =
        refused_in_words(&chain, bad, "has the role `sdk`", "its role is not `node`").await;
    assert!(told.contains("P2P admits the role `node` only") && told_bad.contains("node2"), "{told}");
}

#[tokio::test]
async fn a_certificate_without_a_role_is_refused() {
    let chain = Chain::new();
    let bad = node_with_role(&chain, 2, "accounting");
    refused_in_words(&chain, bad, "states no role", "its role is not `node`").await;
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let chain = Chain::new();
    let bad = chain.identity(2);
    let mut victim =
        chain.identity(1).start_with(hello(), |config| config.crls = vec![crl(&chain, &bad, 1)]).await;
    let mut dialer = bad.start(&[&victim]).await;
    let told = victim.refused("has been revoked").await;
    assert!(told.contains("certificate of node2 (key"), "{told}");
    dialer.refused("it has been revoked").await;
    assert_only_good_peers_are_heard(&mut victim, &chain.identity(3), bad.id()).await;
}

#[tokio::test]
async fn a_reloaded_revocation_list_drops_the_live_peer_and_no_other() {
    let chain = Chain::new();
    let bad = chain.identity(2);
    let mut victim = chain.identity(1).start(&[]).await;
    let (mut revoked, mut good) = (bad.start(&[&victim]).await, chain.identity(3).start(&[&victim]).await);
    connect(&mut victim, &mut revoked).await;
    connect(&mut victim, &mut good).await;

    victim.network.reload_crls(&[crl(&chain, &bad, 1)]).await.expect("a sound list");
    victim.disconnected(bad.id()).await;
    let told = revoked.refused("refused this node").await;
    assert!(told.contains("certificate of node2 (key") && told.contains("has been revoked"), "{told}");
    // It dials again, and now the handshake refuses it.
    revoked.refused("the peer refused our certificate of node2").await;
    victim.refused("certificate of node2").await;
    assert_they_talk(&mut victim, &mut good).await;

    // An older list beside the newer one brings nobody back; an empty newer one does.
    victim.network.reload_crls(&[crl(&chain, &bad, 1), empty_crl(&chain, 2)]).await.expect("sound lists");
    connect(&mut victim, &mut revoked).await;
}

#[tokio::test]
async fn a_broken_revocation_list_changes_nothing() {
    let chain = Chain::new();
    let bad = chain.identity(2);
    let victim =
        chain.identity(1).start_with(hello(), |config| config.crls = vec![crl(&chain, &bad, 1)]).await;
    let error = victim.network.reload_crls(&[b"-----BEGIN NONSENSE".to_vec()]).await.expect_err("no list");
    assert!(error.to_string().contains("revocation list 1"), "{error}");
    let mut victim = victim;
    let _dialer = bad.start(&[&victim]).await;
    victim.refused("has been revoked").await;
}

#[tokio::test]
async fn a_certificate_for_another_key_does_not_start() {
    let chain = Chain::new();
    let config = Identity { seed: 9, ..chain.identity(2) }.config(tokio::sync::watch::channel(hello()).1);
    let error = crate::Network::start(config).await.err().expect("it refuses");
    assert!(matches!(error, NetworkError::ForeignCertificate { .. }), "{error}");
}

#[test]
fn an_sdk_client_of_this_chain_is_no_node() {
    let chain = Chain::new();
    let branch = issue_sdk_branch(&chain.ca, "sdk", Validity::from_now(AGENCY_VALIDITY)).expect("a branch");
    let client = issue_sdk(&branch, "app", Validity::from_now(NODE_VALIDITY)).expect("a client");
    let refusal = admission(&chain)
        .check(&client.certificate.chain, Side::Dialer, SystemTime::now())
        .expect_err("an SDK certificate");
    assert_eq!(refusal.check, Check::Role(Some(Role::Sdk)));
}

/// Certificates are no secret: whoever shows one without having its key must not change what a
/// re-check looks at.
#[test]
fn only_a_completed_handshake_is_remembered() {
    let (chain, now) = (Chain::new(), SystemTime::now());
    let node = chain.identity(2);
    let admission = admission(&chain);
    let live = std::collections::HashSet::from([node.id()]);
    let verifier = NodeVerifier::new(admission.clone());
    let (leaf, above) = (&node.certificates[0], &node.certificates[1..]);
    verifier.verify_client_cert(leaf, above, UnixTime::now()).expect("it passes");
    assert_eq!(admission.recheck(&live, now).len(), 1, "shown only");
    assert_eq!(verifier.conclude(), Some(node.id()));
    assert_eq!(admission.recheck(&live, now), vec![]);
}

/// The SDK branch is an authority under the same CA: it must not be able to make nodes.
#[test]
fn the_sdk_branch_cannot_certify_a_node() {
    let chain = Chain::new();
    let branch = issue_sdk_branch(&chain.ca, "sdk", Validity::from_now(AGENCY_VALIDITY)).expect("a branch");
    let node = super::key(2).id();
    let error = crate::cert::issue_node(&branch, node, "node2", Validity::from_now(NODE_VALIDITY));
    assert!(error.is_err(), "the tool refuses");
    let forged = leaf_signed_by(&branch, 2, "node");
    let shown = [forged, branch.certificate().clone()];
    let refusal =
        admission(&chain).check(&shown, Side::Dialer, SystemTime::now()).expect_err("a forged node");
    assert!(!matches!(refusal.check, Check::Role(_)), "{refusal}");
}

#[test]
fn a_node_cannot_certify_another_node() {
    let chain = Chain::new();
    let node = chain.identity(2);
    let pem = node_pem(&node);
    let key = super::key(2).to_pem().expect("it encodes");
    let error = crate::cert::Authority::from_pem(&pem, &key).err().expect("no authority");
    assert!(error.to_string().contains("not that of a chain CA"), "{error}");
}

#[test]
fn authorities_survive_their_files() {
    let chain = Chain::new();
    let agency = crate::cert::Authority::from_pem(&chain.agency.certificate_pem(), &chain.agency.key_pem());
    let agency = agency.expect("it reads back");
    let again =
        crate::cert::issue_node(&agency, super::key(5).id(), "node5", Validity::from_now(NODE_VALIDITY));
    let again = again.expect("it issues");
    let pem = again.chain_pem();
    let chain_read = read_certificates(&pem, "node.crt").expect("it reads");
    assert_eq!(chain_read, again.chain);
    assert_eq!(
        admission(&chain).check(&chain_read, Side::Listener, SystemTime::now()),
        Ok(super::key(5).id())
    );
    let wrong = crate::cert::Authority::from_pem(&chain.agency.certificate_pem(), &chain.ca.key_pem());
    assert!(wrong.is_err(), "the CA's key is not the agency's");
}

#[test]
fn certificates_state_who_and_until_when() {
    let chain = Chain::new();
    let details = CertificateDetails::read(&chain.identity(2).certificates[0]).expect("it reads");
    assert_eq!((details.name.as_str(), details.issuer.as_str()), ("node2", "agency-a"));
    assert_eq!((details.role, details.node), (Some(Role::Node), Some(super::key(2).id())));
    let left = details.not_after.duration_since(SystemTime::now()).expect("it is valid");
    assert!(left > NODE_VALIDITY - DAY && left <= NODE_VALIDITY);
    // A certificate never outlives its issuer, and two never share a serial number.
    let long = chain.identity_until(3, Validity::from_now(CHAIN_LIFETIMES * AGENCY_VALIDITY));
    let long_details = CertificateDetails::read(&long.certificates[0]).expect("it reads");
    assert!(long_details.not_after <= chain.agency.details().not_after);
    assert_ne!(chain.identity(2).serial, details.serial);
}

/// More agencies' lifetimes than a certificate may have.
const CHAIN_LIFETIMES: u32 = 3;

fn admission(chain: &Chain) -> std::sync::Arc<Admission> {
    Admission::new(chain.ca.certificate(), &Vec::<Vec<u8>>::new()).expect("a CA")
}

fn crl(chain: &Chain, revoked: &Identity, number: u64) -> Vec<u8> {
    let serials = [revoked.serial.clone()];
    let list = issue_crl(&chain.agency, &serials, number, Validity::from_now(CRL_VALIDITY));
    list.expect("a list").into_bytes()
}

fn empty_crl(chain: &Chain, number: u64) -> Vec<u8> {
    issue_crl(&chain.agency, &[], number, Validity::from_now(CRL_VALIDITY)).expect("a list").into_bytes()
}

fn node_pem(node: &Identity) -> String {
    node.certificates.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.to_vec()))).collect()
}

/// A node's key under a certificate of the agency's that states another role: our own tool makes none.
fn node_with_role(chain: &Chain, seed: u8, role: &str) -> Identity {
    let leaf = leaf_signed_by(&chain.agency, seed, role);
    Identity { certificates: vec![leaf, chain.agency.certificate().clone()], ..chain.identity(seed) }
}

fn leaf_signed_by(
    authority: &crate::cert::Authority,
    seed: u8,
    role: &str,
) -> rustls::pki_types::CertificateDer<'static> {
    let key = rcgen::KeyPair::from_pem(&authority.key_pem()).expect("a key");
    let issuer = rcgen::Issuer::from_ca_cert_pem(&authority.certificate_pem(), key).expect("an authority");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, role);
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("node{seed}"));
    params.extended_key_usages =
        vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let own = rcgen::KeyPair::from_pem(&super::key(seed).to_pem().expect("it encodes")).expect("a key");
    params.signed_by(&own, &issuer).expect("it signs").into()
}
