//! A client with nothing but the genesis file, and nodes that may lie.

use std::collections::BTreeMap;

use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, KECCAK_EMPTY, Nibbles, TrieAccount, proof::ProofRetainer};
use quorate_types::{
    Address, B256, Bytes, ChainConfig, CommitCertificate, Domain, Genesis, GenesisValidator, Header, Height,
    NodeKey, Phase, Signed, U256, VALIDATORS_ADDRESS, Validator, ValidatorSet, View, Vote, VoteTally,
    keccak256, validator_slots,
};

use crate::{AccountAnswer, Follower, LightError, SlotAnswer, proven_validators};

const ALICE: Address = Address::repeat_byte(0xa1);

fn keys(seeds: std::ops::RangeInclusive<u8>) -> Vec<NodeKey> {
    seeds.map(|seed| NodeKey::from_seed([seed; 32])).collect()
}

fn set_of(keys: &[NodeKey]) -> ValidatorSet {
    ValidatorSet::new(keys.iter().map(|key| Validator::new(key.id(), 1))).expect("sound")
}

fn genesis() -> Genesis {
    let validator =
        |key: &NodeKey| GenesisValidator { key: key.id(), weight: 1, fee_recipient: Address::ZERO };
    Genesis {
        config: ChainConfig::new(7),
        timestamp: 1_700_000_000,
        validators: keys(1..=4).iter().map(validator).collect(),
        alloc: BTreeMap::new(),
    }
}

fn domain() -> Domain {
    genesis().domain().expect("sound")
}

/// The header of a height that binds the set after it.
fn header(number: u64, next: &ValidatorSet) -> Header {
    Header { number, extra_data: Bytes::copy_from_slice(&next.hash()[..]), ..Header::default() }
}

/// What the nodes with `signers` decide, of the set with `keys`.
fn certificate(header: &Header, keys: &[NodeKey], signers: usize) -> CommitCertificate {
    let (height, block_hash) = (Height(header.number), header.hash_slow());
    let vote = Vote { phase: Phase::Commit, height, view: View(0), block_hash };
    let set = set_of(keys);
    let mut tally = VoteTally::new(vote);
    for key in &keys[..signers] {
        let signed = Signed::sign(vote, &domain(), key).expect("signs");
        tally.add(&set, &signed.signer, signed.signature);
    }
    CommitCertificate::new(tally.certificate(&set).expect("a quorum")).expect("of commits")
}

#[test]
fn a_follower_goes_from_genesis_to_the_newest_set_by_its_changes_alone() {
    let mut follower = Follower::new(&genesis()).expect("sound");
    let (old, new) = (keys(1..=4), keys(3..=9));
    assert_eq!(follower.validators().hash(), set_of(&old).hash());

    let ordinary = header(5, &set_of(&old));
    follower.follow(&ordinary, &certificate(&ordinary, &old, 3), None).expect("decided");
    let change = header(8, &set_of(&new));
    let decided = certificate(&change, &old, 3);
    let error = follower.follow(&change, &decided, None).expect_err("the set changes here");
    assert!(matches!(error, LightError::OtherSet { height: Height(8) }), "{error}");
    let error = follower.follow(&change, &decided, Some(set_of(&keys(3..=8)))).expect_err("a wrong list");
    assert!(matches!(error, LightError::OtherSet { .. }), "{error}");
    assert_eq!(follower.height(), Height(5), "nothing was changed");
    follower.follow(&change, &decided, Some(set_of(&new))).expect("the list that the header binds");
    assert_eq!((follower.height(), follower.hash()), (Height(8), change.hash_slow()));

    let mut later = header(9, &set_of(&new));
    let error = follower.verify(&later, &certificate(&later, &new, 5)).expect_err("another parent");
    assert!(matches!(error, LightError::WrongParent { .. }), "{error}");
    later.parent_hash = change.hash_slow();
    follower.verify(&later, &certificate(&later, &new, 5)).expect("decided by the new set");
    let error = follower.verify(&later, &certificate(&later, &old, 3)).expect_err("they have left");
    assert!(matches!(error, LightError::Certificate { height: Height(9), .. }), "{error}");
}

#[test]
fn headers_that_the_set_did_not_decide_are_refused() {
    let mut follower = Follower::new(&genesis()).expect("sound");
    let members = keys(1..=4);
    let first = header(2, &set_of(&members));
    let decided = certificate(&first, &members, 3);

    let mut changed = first.clone();
    changed.state_root = B256::repeat_byte(1);
    let error = follower.verify(&changed, &decided).expect_err("another header");
    assert!(matches!(error, LightError::OtherBlock { .. }), "{error}");

    let strangers = certificate(&first, &keys(11..=14), 3);
    assert!(matches!(follower.verify(&first, &strangers), Err(LightError::Certificate { .. })));
    let mut few = (*decided).clone();
    few.signers = vec![0b11];
    few.signatures.pop();
    let few = CommitCertificate::new(few).expect("of commits");
    assert!(matches!(follower.verify(&first, &few), Err(LightError::Certificate { .. })));

    follower.follow(&first, &decided, None).expect("decided");
    let error = follower.follow(&first, &decided, None).expect_err("no step back");
    assert!(matches!(error, LightError::NotAbove { .. }), "{error}");
}

/// The root of a trie over `leaves`, keyed by the hashes of what is given, and the nodes towards each.
fn trie(leaves: &BTreeMap<Vec<u8>, Vec<u8>>, wanted: &[Vec<u8>]) -> (B256, Vec<Vec<Bytes>>) {
    let path = |key: &Vec<u8>| Nibbles::unpack(keccak256(key));
    let targets: Vec<_> = wanted.iter().map(path).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(targets.clone()));
    let sorted: BTreeMap<_, _> = leaves.iter().map(|(key, value)| (path(key), value)).collect();
    sorted.into_iter().for_each(|(key, value)| builder.add_leaf(key, value));
    let root = builder.root();
    let nodes = builder.take_proof_nodes();
    let towards = |target| nodes.matching_nodes_sorted(target).into_iter().map(|(_, node)| node).collect();
    (root, targets.iter().map(towards).collect())
}

/// A state of the validators' contract, ALICE and some others; and what a node answers of `address`.
fn answer(address: Address, members: &[Validator]) -> (B256, AccountAnswer) {
    let slots = validator_slots(members);
    let key = |slot: &U256| slot.to_be_bytes_vec();
    // As the state has it: an observer's weight is zero, and zeros are not in a trie.
    let set = slots.iter().filter(|(_, value)| !value.is_zero());
    let storage = set.map(|(slot, value)| (key(slot), alloy_rlp::encode(value))).collect();
    let wanted: Vec<_> = slots.iter().map(|(slot, _)| key(slot)).collect();
    let (storage_root, slot_proofs) = trie(&storage, &wanted);
    let contract = TrieAccount { nonce: 1, storage_root, ..TrieAccount::default() };
    let alice = TrieAccount { nonce: 2, balance: U256::from(5), ..TrieAccount::default() };
    let mut accounts = BTreeMap::from([(VALIDATORS_ADDRESS, contract), (ALICE, alice)]);
    accounts.extend((0..20).map(|byte| (Address::repeat_byte(byte), alice)));
    let leaves = accounts.iter().map(|(address, it)| (address.to_vec(), alloy_rlp::encode(it))).collect();
    let (state_root, mut proofs) = trie(&leaves, &[address.to_vec()]);
    let account = accounts.get(&address).copied().unwrap_or_default();
    let slots = slots.iter().zip(slot_proofs);
    let slots = slots.map(|((slot, value), proof)| SlotAnswer { slot: *slot, value: *value, proof });
    let answer = AccountAnswer {
        address,
        nonce: account.nonce,
        balance: account.balance,
        code_hash: account.code_hash,
        storage_root: account.storage_root,
        proof: proofs.remove(0),
        slots: if address == VALIDATORS_ADDRESS { slots.collect() } else { Vec::new() },
    };
    (state_root, answer)
}

fn members() -> Vec<Validator> {
    let member = |(weight, key): (u64, &NodeKey)| Validator::new(key.id(), weight);
    (0..).zip(&keys(1..=5)).map(member).collect()
}

#[test]
fn accounts_are_believed_as_the_state_root_has_them_and_no_other_way() {
    let (state_root, honest) = answer(ALICE, &members());
    let account = honest.verify(state_root).expect("proven").expect("exists");
    assert_eq!((account.nonce, account.balance), (2, U256::from(5)));
    let lies: [fn(&mut AccountAnswer); 6] = [
        |it| it.nonce += 1,
        |it| it.balance += U256::from(1),
        |it| it.code_hash = B256::repeat_byte(1),
        |it| it.storage_root = B256::repeat_byte(1),
        |it| drop(it.proof.pop()),
        |it| (it.nonce, it.balance) = (0, U256::ZERO),
    ];
    for (number, lie) in lies.iter().enumerate() {
        let mut lying = honest.clone();
        lie(&mut lying);
        let error = lying.verify(state_root).expect_err("a lie");
        assert!(matches!(error, LightError::Account { .. }), "lie {number}: {error}");
    }
    assert!(honest.verify(B256::repeat_byte(1)).is_err(), "another state");
}

#[test]
fn an_absent_account_is_proven_to_be_absent() {
    let (state_root, mut absent) = answer(Address::repeat_byte(0x77), &members());
    for (code_hash, storage_root) in [(KECCAK_EMPTY, EMPTY_ROOT_HASH), (B256::ZERO, B256::ZERO)] {
        (absent.code_hash, absent.storage_root) = (code_hash, storage_root);
        absent.slots = vec![SlotAnswer { slot: U256::ZERO, value: U256::ZERO, proof: Vec::new() }];
        assert_eq!(absent.verify(state_root).expect("proven"), None);
        absent.slots[0].value = U256::from(1);
        assert!(matches!(absent.verify(state_root), Err(LightError::Slot { .. })));
    }
}

#[test]
fn the_set_comes_from_the_storage_of_its_contract() {
    let (state_root, honest) = answer(VALIDATORS_ADDRESS, &members());
    let set = proven_validators(state_root, &honest).expect("proven");
    let voting = members().into_iter().filter(|member| member.weight > 0);
    assert_eq!(set, ValidatorSet::new(voting).expect("sound"), "observers have no vote");

    let mut heavier = honest.clone();
    heavier.slots[4].value += U256::from(1);
    assert!(matches!(proven_validators(state_root, &heavier), Err(LightError::Slot { .. })));
    let mut fewer = honest;
    fewer.slots.remove(4);
    assert!(matches!(proven_validators(state_root, &fewer), Err(LightError::NotProven(_))));
    let (state_root, other) = answer(ALICE, &members());
    assert!(matches!(proven_validators(state_root, &other), Err(LightError::OtherAccount { .. })));
}
