//! What a block must prove.

use quorate_sync::{CertifiedBlock, Effect, Input, RequestId, SyncConfig, SyncError, Syncer, verify_block};
use quorate_types::{CertificateError, Domain, Ed25519, Height, ValidatorSet};

use crate::{
    chain::{CHAIN, LAST, SET_CHANGE, peer},
    world::{Lie, falsify},
};

fn verdict_with(set: &ValidatorSet, (block, certificate): &CertifiedBlock) -> Result<(), SyncError> {
    verify_block(block, certificate, &CHAIN.domain, set, &Ed25519)
}

fn verdict(certified: &CertifiedBlock) -> Result<(), SyncError> {
    verdict_with(&CHAIN.set(certified.0.height()), certified)
}

/// faults.md, unsigned-empty-block: synced empty blocks were accepted unchecked (FISCO).
#[test]
fn unsigned_empty_block_every_block_needs_its_certificate() {
    let (empty, full) = (CHAIN.at(Height(4)), CHAIN.at(Height(6)));
    assert!(empty.0.transactions().is_empty() && !full.0.transactions().is_empty());
    for certified in [empty, full] {
        assert_eq!(verdict(&certified), Ok(()));
        let height = certified.0.height();
        let none = CertificateError::NoQuorum { weight: 0, quorum: 3 };
        let error = SyncError::Certificate { height, error: none };
        assert_eq!(verdict(&falsify(&certified, Lie::Unsigned)), Err(error));
    }
}

#[test]
fn two_of_four_are_no_quorum() {
    let error = CertificateError::NoQuorum { weight: 2, quorum: 3 };
    let certified = falsify(&CHAIN.at(Height(6)), Lie::NoQuorum);
    assert_eq!(verdict(&certified), Err(SyncError::Certificate { height: Height(6), error }));
}

#[test]
fn a_forged_signature_is_found() {
    let verdict = verdict(&falsify(&CHAIN.at(Height(6)), Lie::ForgedSignature));
    assert!(
        matches!(verdict, Err(SyncError::Certificate { error: CertificateError::BadSignature(_), .. })),
        "{verdict:?}"
    );
}

#[test]
fn the_certificate_of_another_height_proves_nothing() {
    let verdict = verdict(&falsify(&CHAIN.at(Height(6)), Lie::OtherHeight));
    assert!(
        matches!(
            verdict,
            Err(SyncError::OtherCertificate { height: Height(6), certified_height: Height(5), .. })
        ),
        "{verdict:?}"
    );
}

#[test]
fn the_transactions_are_part_of_what_is_proved() {
    let verdict = verdict(&falsify(&CHAIN.at(Height(6)), Lie::OtherBody));
    assert_eq!(verdict, Err(SyncError::BodyNotBound { height: Height(6) }));
}

#[test]
fn a_certificate_counts_on_its_chain_and_for_its_set_alone() {
    let certified = CHAIN.at(SET_CHANGE);
    let old_set = CHAIN.set(SET_CHANGE.previous().expect("not genesis"));
    assert_eq!(verdict(&certified), Ok(()));
    assert!(matches!(verdict_with(&old_set, &certified), Err(SyncError::Certificate { .. })));
    let (block, certificate) = &certified;
    let elsewhere = Domain { chain_id: 1, ..CHAIN.domain };
    let set = CHAIN.set(SET_CHANGE);
    assert!(matches!(
        verify_block(block, certificate, &elsewhere, &set, &Ed25519),
        Err(SyncError::Certificate { error: CertificateError::BadSignature(_), .. })
    ));
}

/// A syncer on block 0 that has just asked for blocks 1 to 8.
fn asking() -> (Syncer, RequestId) {
    let config = SyncConfig { domain: CHAIN.domain, verifier: std::sync::Arc::new(Ed25519) };
    let mut syncer = Syncer::new(config, CHAIN.head(Height::ZERO));
    let effects = syncer.step(Input::PeerHead { peer: peer(1), height: Height(8) });
    let Effect::Request { id, from: Height(1), count: 8, .. } = effects[0] else { panic!("{effects:?}") };
    (syncer, id)
}

fn punishment(effects: &[Effect]) -> Option<&SyncError> {
    effects.iter().find_map(|effect| match effect {
        Effect::Punish { peer: who, reason } if *who == peer(1) => Some(reason),
        _ => None,
    })
}

#[test]
fn an_answer_that_is_unfit_as_a_whole_is_refused_before_any_signature_is_checked() {
    let good = CHAIN.range(Height(1), 8, LAST);
    let mut swapped = good.clone();
    swapped.swap(2, 3);
    let mut unlinked = good.clone();
    unlinked[4] = falsify(&unlinked[4], Lie::WrongParent);
    let mut hole = good.clone();
    hole.remove(3);
    let cases = [
        (CHAIN.range(Height(1), 9, LAST), SyncError::TooMany { asked: 8, got: 9 }),
        (swapped, SyncError::WrongHeight { expected: Height(3), got: Height(4) }),
        (hole, SyncError::WrongHeight { expected: Height(4), got: Height(5) }),
        (CHAIN.range(Height(2), 7, LAST), SyncError::WrongHeight { expected: Height(1), got: Height(2) }),
        (
            unlinked,
            SyncError::WrongParent {
                height: Height(5),
                expected: CHAIN.hash(Height(4)),
                parent: quorate_types::B256::repeat_byte(0xbd),
            },
        ),
    ];
    for (blocks, expected) in cases {
        let (mut syncer, request) = asking();
        let effects = syncer.step(Input::Blocks { request, peer: peer(1), blocks });
        assert_eq!(punishment(&effects), Some(&expected));
        assert!(!effects.iter().any(|it| matches!(it, Effect::Apply { .. })), "{effects:?}");
        assert_eq!(syncer.progress().buffered, 0);
    }
}

/// The lie is found when its turn comes; what the same peer sent beside it counts no more.
#[test]
fn after_a_lie_nothing_of_its_sender_is_applied() {
    let (mut syncer, request) = asking();
    let mut blocks = CHAIN.range(Height(1), 8, LAST);
    blocks[1] = falsify(&blocks[1], Lie::NoQuorum);
    let effects = syncer.step(Input::Blocks { request, peer: peer(1), blocks });
    assert!(
        effects.iter().any(|it| matches!(it, Effect::Apply { block, .. } if block.height() == Height(1)))
    );
    let effects = syncer.step(Input::Head(CHAIN.head(Height(1))));
    assert!(matches!(punishment(&effects), Some(SyncError::Certificate { height: Height(2), .. })));
    assert_eq!((syncer.progress().buffered, syncer.progress().peers), (0, 0));
    // Somebody else is asked for the rest.
    let effects = syncer.step(Input::PeerHead { peer: peer(2), height: Height(8) });
    let rest = effects.iter().find_map(|effect| match effect {
        Effect::Request { peer, from, count, .. } => Some((*peer, *from, *count)),
        _ => None,
    });
    assert_eq!(rest, Some((peer(2), Height(2), 7)));
}
