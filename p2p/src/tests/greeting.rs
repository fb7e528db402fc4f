//! Greetings: what must be equal, who has a place, and that nothing passes before.

use std::collections::HashSet;

use quorate_proto::{Hello, PROTOCOL_VERSION};
use quorate_types::{B256, Height};

use super::{Chain, assert_only_good_peers_are_heard, assert_they_talk, connect, hello};
use crate::NetworkLimits;

/// A certified node of another chain or version dials: both sides learn what differs.
async fn refused_by_greeting(theirs: Hello, words: &str) {
    let chain = Chain::new();
    let mut victim = chain.identity(1).start(&[]).await;
    let address = victim.address();
    let bad = chain.identity(2);
    let mut dialer = bad.start_with(theirs, |config| config.peers = vec![address]).await;
    let told_victim = victim.refused(words).await;
    let told_dialer = dialer.refused(words).await;
    assert!(told_victim.contains(&bad.id().to_string()), "{told_victim}");
    assert!(told_dialer.contains(&victim.id().to_string()), "{told_dialer}");
    assert!(dialer.heard.is_empty(), "{:?}", dialer.log);
    assert_only_good_peers_are_heard(&mut victim, &chain.identity(3), bad.id()).await;
}

#[tokio::test]
async fn another_genesis_is_refused() {
    refused_by_greeting(Hello { genesis_hash: B256::ZERO, ..hello() }, "genesis blocks differ").await;
}

#[tokio::test]
async fn another_chain_id_is_refused() {
    refused_by_greeting(Hello { chain_id: 1, ..hello() }, "chain ids differ").await;
}

#[tokio::test]
async fn another_protocol_version_is_refused() {
    let newer = Hello { protocol_version: PROTOCOL_VERSION + 1, ..hello() };
    refused_by_greeting(newer, "protocol versions differ").await;
}

#[tokio::test]
async fn the_greeting_tells_the_head_as_it_is_now() {
    let chain = Chain::new();
    let mut a = chain.identity(1).start(&[]).await;
    a.hello.send_modify(|hello| hello.height = Height(41));
    let mut b = chain.identity(2).start(&[&a]).await;
    assert_eq!(b.connected(a.id()).await.height, Height(41));
    a.connected(b.id()).await;
    assert_eq!(b.network.peers()[0].hello.height, Height(41));
}

#[tokio::test]
async fn guests_have_few_places_and_validators_their_own() {
    let chain = Chain::new();
    let validator = chain.identity(2);
    let validators = HashSet::from([validator.id()]);
    let mut host = chain
        .identity(1)
        .start_with(hello(), |config| {
            config.validators = validators;
            config.limits = NetworkLimits { guests: 1 };
        })
        .await;
    let mut first = chain.identity(3).start(&[&host]).await;
    connect(&mut host, &mut first).await;
    let mut second = chain.identity(4).start(&[&host]).await;
    second.refused("all 1 places for nodes that are no validators are taken").await;
    let mut validator = validator.start(&[&host]).await;
    connect(&mut host, &mut validator).await;
    assert!(!host.heard.contains(&second.id()));

    // Listed, the second one has a place of its own at its next attempt.
    host.network.set_validators(HashSet::from([validator.id(), second.id()]));
    connect(&mut host, &mut second).await;
    assert_they_talk(&mut host, &mut second).await;
    assert_eq!(host.network.peers().iter().filter(|peer| peer.validator).count(), 2);
}
