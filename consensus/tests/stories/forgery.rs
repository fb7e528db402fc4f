//! What never becomes a `Verified` message.

use std::sync::Arc;

use quorate_types::{
    B256, Block, Bytes, CertificateError, Decided, Header, Justification, Message, Phase, Proposal, Signed,
    VerifyError, View, ViewChange,
};

use crate::support::{HEIGHT, Net};

fn error(net: &Net, message: Message) -> VerifyError {
    message.verify(net.context()).expect_err("a forgery")
}

fn proposed(net: &Net, block: &Block, justification: Justification) -> Message {
    net.proposed(2, block, Some(justification))
}

/// faults.md, newview-unchecked: a forged new-view is accepted (FISCO audit).
#[test]
pub fn newview_unchecked_parts_do_not_pass() {
    let net = Net::of(4);
    let (block, other) = (net.block(0), net.block(1));
    let lock = net.lock(1, &block, &[0, 1, 2]);
    let good = net.justify(&[net.wish(0, 2, None), net.wish(1, 2, Some(&lock)), net.wish(2, 2, None)]);
    assert!(proposed(&net, &block, good.clone()).verify(net.context()).is_ok());

    let unjustified = |it: Justification| {
        let error = error(&net, proposed(&net, &block, it));
        assert!(matches!(error, VerifyError::Unjustified(_)), "{error}");
    };
    unjustified(Justification { view_changes: good.view_changes[..2].to_vec(), ..good.clone() });
    let thrice = vec![good.view_changes[0]; 3];
    unjustified(Justification { view_changes: thrice, certificate: None });
    unjustified(Justification { certificate: None, ..good.clone() });
    unjustified(net.justify(&[net.wish(0, 2, None), net.wish(1, 3, None), net.wish(2, 2, None)]));
    // The lock binds the leader to its block.
    let error_of = |message| error(&net, message);
    assert!(matches!(error_of(proposed(&net, &other, good.clone())), VerifyError::Unjustified(_)));
    // A lower lock than the highest.
    let lower = net.lock(0, &other, &[0, 1, 3]);
    let hidden = Justification { certificate: Some(lower), ..good.clone() };
    assert!(matches!(error_of(proposed(&net, &other, hidden)), VerifyError::Unjustified(_)));
}

/// faults.md, newview-unchecked: each signature in it counts.
#[test]
pub fn newview_unchecked_signatures_do_not_pass() {
    let net = Net::of(4);
    let block = net.block(0);
    let change = ViewChange { height: HEIGHT, view: View(2), prepared: None };
    let mut view_changes: Vec<Signed<ViewChange>> = (0..3).map(|who| net.sign(who, change)).collect();
    view_changes[2].signature = view_changes[1].signature;
    let forged = Justification { view_changes, certificate: None };
    assert_eq!(error(&net, proposed(&net, &block, forged)), VerifyError::BadSignature(net.id(2)));

    let lock = net.lock(1, &block, &[0, 1, 2]);
    let mut votes = (*lock).clone();
    votes.signatures[0] = votes.signatures[1];
    let lock = quorate_types::PrepareCertificate::new(votes).expect("of prevotes");
    let forged = net.justify(&[net.wish(0, 2, None), net.wish(1, 2, Some(&lock)), net.wish(2, 2, None)]);
    let bad = VerifyError::Certificate(CertificateError::BadSignature(net.id(0)));
    assert_eq!(error(&net, proposed(&net, &block, forged)), bad);
}

/// A wish must prove its lock, and cannot be locked in the view that it wishes for.
#[test]
pub fn a_wish_proves_its_lock() {
    let net = Net::of(4);
    let block = net.block(0);
    let lock = net.lock(1, &block, &[0, 1, 2]);
    let good = net.wish(3, 2, Some(&lock));
    assert!(Message::ViewChange(good.clone()).verify(net.context()).is_ok());
    let bare = quorate_types::SignedViewChange { certificate: None, ..good };
    assert!(matches!(error(&net, Message::ViewChange(bare)), VerifyError::Unjustified(_)));
    let late = net.wished(3, 1, Some(&lock));
    assert!(matches!(error(&net, late), VerifyError::Unjustified(_)));
    let nowhere = net.wished(3, 0, None);
    assert!(matches!(error(&net, nowhere), VerifyError::Unjustified(_)));
}

/// faults.md, body-not-bound: the signed hash did not bind the transactions (FISCO audit, critical).
#[test]
pub fn body_not_bound_to_the_signature_does_not_pass() {
    let net = Net::of(4);
    let good = net.proposal(0, &net.block(0), None);
    let with = |change: &dyn Fn(&mut Proposal)| {
        let mut forged = good.clone();
        change(&mut forged);
        error(&net, Message::Proposal(Arc::new(forged)))
    };
    let more = with(&|it| it.transaction_hashes.push(B256::repeat_byte(1)));
    assert_eq!(more, VerifyError::NotBound("transaction list"));
    let header = with(&|it| it.header = Header { gas_limit: 1, ..it.header.clone() });
    assert_eq!(header, VerifyError::NotBound("header"));
    let stranger = with(&|it| it.propose = net.sign(3, it.propose.statement));
    assert!(matches!(stranger, VerifyError::NotTheLeader { .. }), "{stranger}");
    let copied = with(&|it| it.propose.signature = net.sign(3, it.propose.statement).signature);
    assert_eq!(copied, VerifyError::BadSignature(net.id(1)));
}

/// faults.md, unsigned-empty-block: an empty block without proof was taken (FISCO). And one with other transactions
/// than its header's must not pass as the decided one.
#[test]
pub fn unsigned_empty_blocks_and_other_bodies_do_not_pass() {
    let net = Net::of(4);
    let (block, other) = (net.block(0), net.block(1));
    let certificate = net.proof(0, &block, &[0, 1, 2]);
    let decided = |block: Block| {
        Message::Decided(Decided { certificate: certificate.clone(), block: Some(Arc::new(block)) })
    };
    assert!(decided((*block).clone()).verify(net.context()).is_ok());
    assert_eq!(error(&net, decided((*other).clone())), VerifyError::NotBound("block"));
    let rotten = Block::new(block.header().clone(), vec![Bytes::from_static(b"rotten")]);
    assert_eq!(error(&net, decided(rotten)), VerifyError::NotBound("body"));
    let mut votes = (*certificate).clone();
    votes.signatures[2] = votes.signatures[1];
    let certificate = quorate_types::CommitCertificate::new(votes).expect("of commits");
    let forged = Message::Decided(Decided { certificate, block: Some(block) });
    assert!(matches!(error(&net, forged), VerifyError::Certificate(_)));
}

/// faults.md, type-confusion: a prevote is no commit (FISCO audit).
#[test]
pub fn type_confusion_is_a_bad_signature() {
    let net = Net::of(4);
    let Message::Vote(mut vote) = net.vote(1, Phase::Prevote, 0, &net.block(0)) else { unreachable!() };
    vote.statement.phase = Phase::Commit;
    assert_eq!(error(&net, Message::Vote(vote)), VerifyError::BadSignature(net.id(1)));
}
