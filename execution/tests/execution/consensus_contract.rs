//! The contract at `0x1003`: who may change the nodes, what a change leaves behind, and every way to misuse it.

use alloy_sol_types::{SolCall, SolEvent};
use hex_literal::hex;
use quorate_execution::{CallOutcome, CallRequest, CallStatus, IConsensus, Overrides, decode_revert};
use quorate_types::{
    Address, Bytes, ExecutedBlock, Fork, NodeId, NodeKey, Transaction, U256, VALIDATORS_ADDRESS, Validator,
    keccak256,
};
use revm::primitives::TxKind;

use crate::chain::{Account, Chain, FEES, created, deployer, gas_of_each};

/// Enough for any change of four nodes.
const GAS: u64 = 200_000;
/// What the contract's documentation says of a change, and of each known node.
const CHANGE_GAS: u64 = 100_000;
const NODE_GAS: u64 = 4_200;

fn id(seed: u8) -> NodeId {
    NodeKey::from_seed([seed; 32]).id()
}

fn add_sealer(seed: u8, weight: u64) -> Bytes {
    IConsensus::addSealerCall { nodeID: id(seed).to_string(), weight: U256::from(weight) }.abi_encode().into()
}

fn add_observer(seed: u8) -> Bytes {
    IConsensus::addObserverCall { nodeID: id(seed).to_string() }.abi_encode().into()
}

fn remove(seed: u8) -> Bytes {
    IConsensus::removeCall { nodeID: format!("0x{}", id(seed)) }.abi_encode().into()
}

fn set_weight(seed: u8, weight: u64) -> Bytes {
    IConsensus::setWeightCall { nodeID: id(seed).to_string(), weight: U256::from(weight) }.abi_encode().into()
}

/// A chain of validators 1 to 4 with this administrator.
fn chain_of(fork: Fork, administrator: Address) -> Chain {
    Chain::with(fork, |genesis| genesis.config.administrator = Some(administrator))
}

/// A chain that the first account administers.
fn administered() -> (Chain, Account) {
    let alice = Account::new(1);
    (chain_of(Fork::Osaka, alice.address()), alice)
}

fn to_contract(account: &mut Account, data: Bytes) -> Transaction {
    account.send(TxKind::Call(VALIDATORS_ADDRESS), 0, GAS, data)
}

fn call(chain: &Chain, from: Address, data: impl Into<Bytes>) -> CallOutcome {
    let request =
        CallRequest { from, to: Some(VALIDATORS_ADDRESS), data: data.into(), ..CallRequest::default() };
    chain.executor.call(&chain.head, &chain.state, &request, &Overrides::default()).expect("it starts")
}

/// Why a call reverts.
fn reason(chain: &Chain, from: Address, data: impl Into<Bytes>) -> String {
    let outcome = call(chain, from, data);
    assert_eq!(outcome.status, CallStatus::Reverted, "{outcome:?}");
    decode_revert(&outcome.output).expect("a reason")
}

/// The voters after a block, as (seed, weight).
fn voters(block: &ExecutedBlock) -> Vec<(u8, u64)> {
    let seed = |it: &Validator| (1..=99).find(|seed| id(*seed) == it.key).expect("a known seed");
    let mut voters: Vec<_> = block.next_validators.members().iter().map(|it| (seed(it), it.weight)).collect();
    voters.sort_unstable();
    assert_eq!(block.block.header().extra_data[..], block.next_validators.hash()[..], "bound in the header");
    voters
}

/// Given an administrator, when it sends each of the four changes, then the next set follows, on every fork, and each
/// leaves its event.
#[test]
fn the_four_changes_make_the_next_set() {
    for fork in [Fork::Cancun, Fork::Prague, Fork::Osaka] {
        let mut alice = Account::new(1);
        let mut chain = chain_of(fork, alice.address());
        let topic = |block: &ExecutedBlock| block.receipts[0].logs()[0].topics().to_vec();

        let added = chain.run(&[to_contract(&mut alice, add_sealer(5, 3))]);
        assert_eq!(voters(&added), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 3)]);
        let log = &added.receipts[0].logs()[0];
        let event = IConsensus::SealerAdded::decode_log(log).expect("the event");
        assert_eq!((log.address, event.node.0, event.weight), (VALIDATORS_ADDRESS, id(5).0, 3));
        let new = added.next_validators.members().iter().find(|it| it.key == id(5)).expect("it votes");
        assert_eq!(new.fee_recipient, alice.address(), "fees of a new one go to who took it in");

        let set = chain.run(&[to_contract(&mut alice, set_weight(1, 7))]);
        assert_eq!(voters(&set), [(1, 7), (2, 1), (3, 1), (4, 1), (5, 3)]);
        assert_eq!(topic(&set), [IConsensus::WeightSet::SIGNATURE_HASH, id(1).0.into()]);
        let demoted = chain.run(&[to_contract(&mut alice, add_observer(1))]);
        assert_eq!(voters(&demoted), [(2, 1), (3, 1), (4, 1), (5, 3)]);
        assert_eq!(topic(&demoted), [IConsensus::ObserverAdded::SIGNATURE_HASH, id(1).0.into()]);
        let removed = chain.run(&[to_contract(&mut alice, remove(2))]);
        assert_eq!(voters(&removed), [(3, 1), (4, 1), (5, 3)]);
        assert_eq!(topic(&removed), [IConsensus::NodeRemoved::SIGNATURE_HASH, id(2).0.into()]);

        let nodes = call(&chain, Address::ZERO, IConsensus::getNodesCall {}.abi_encode());
        let nodes = IConsensus::getNodesCall::abi_decode_returns(&nodes.output).expect("nodes");
        let mut known: Vec<_> = nodes.iter().map(|it| (it.id.0, it.weight, it.feeRecipient)).collect();
        known.sort_unstable_by_key(|(_, weight, _)| *weight);
        assert_eq!(known[0], (id(1).0, 0, FEES), "the observer is known still");
        assert_eq!(known.len(), 4);
    }
}

#[test]
fn several_changes_in_one_block_see_each_other() {
    let (mut chain, mut alice) = administered();
    let changes = [add_sealer(5, 2), set_weight(5, 9), add_sealer(5, 1), remove(5), remove(1)];
    let block = chain.run(&changes.map(|data| to_contract(&mut alice, data)));
    let done: Vec<_> = block.receipts.iter().map(|it| it.status()).collect();
    assert_eq!(done, [true, true, false, true, true], "5 was a validator when it was added again");
    assert_eq!(voters(&block), [(2, 1), (3, 1), (4, 1)]);
}

/// A contract that sends the first and then the second half of its call data to 0x1003, and ends with `ending`, on the
/// stack whether both succeeded.
fn two_calls(ending: &[u8]) -> Vec<u8> {
    let calls = hex!(
        "36 5f 5f 37"
        "5f 5f 36 6001 1c 5f 5f 611003 5a f1"
        "5f 5f 36 6001 1c 36 6001 1c 5f 611003 5a f1 16"
    );
    [&calls[..], ending].concat()
}

/// Given a contract as the administrator, when it makes two changes in one transaction, then both count; when it
/// reverts after them, then neither does, and there is no event.
#[test]
fn a_contract_may_administer_and_its_revert_takes_all_back() {
    let returns = two_calls(&hex!("5f 52 6020 5f f3"));
    let reverts = two_calls(&hex!("5f 5f fd"));
    for (code, voting) in [(returns, vec![(3, 1), (4, 1)]), (reverts, vec![(1, 1), (2, 1), (3, 1), (4, 1)])] {
        let mut alice = Account::new(1);
        let contract = created(alice.address(), 0);
        let mut chain = chain_of(Fork::Osaka, contract);
        chain.run(&[alice.send(TxKind::Create, 0, 1_000_000, deployer(&code))]);
        let both = [add_observer(1), add_observer(2)].concat();
        let block = chain.run(&[alice.send(TxKind::Call(contract), 0, 2 * GAS, both)]);
        assert_eq!(voters(&block), voting);
        assert_eq!(block.receipts[0].logs().len(), if voting.len() == 2 { 2 } else { 0 });
        assert!(
            reason(&chain, alice.address(), remove(3)).contains(&contract.to_string()),
            "its user may not"
        );
    }
}

/// Given an administrator's contract, when it uses the wrong kind of call, then nothing changes and the view still works.
#[test]
fn delegatecall_callcode_and_static_calls_change_nothing() {
    // (opcode with what precedes the address, whether a view succeeds by it)
    let kinds: [(&[u8], &[u8], bool); 3] =
        [(&[], &hex!("f4"), false), (&hex!("5f"), &hex!("f2"), false), (&[], &hex!("fa"), true)];
    for (value, opcode, view_works) in kinds {
        let mut alice = Account::new(1);
        let contract = created(alice.address(), 0);
        let mut chain = chain_of(Fork::Osaka, contract);
        let (copy, call_it) = (hex!("36 5f 5f 37 5f 5f 36 5f"), hex!("611003 5a"));
        let code = [&copy[..], value, &call_it, opcode, &hex!("5f 52 6020 5f f3")].concat();
        chain.run(&[alice.send(TxKind::Create, 0, 1_000_000, deployer(&code))]);
        let before = chain.state.slot(contract, 0);
        let succeeded = |chain: &Chain, data: Vec<u8>| {
            let request = CallRequest { to: Some(contract), data: data.into(), ..CallRequest::default() };
            let outcome = chain
                .executor
                .call(&chain.head, &chain.state, &request, &Overrides::default())
                .expect("it starts");
            U256::from_be_slice(&outcome.output) == U256::from(1)
        };
        assert!(!succeeded(&chain, remove(4).to_vec()), "{opcode:x?}");
        assert_eq!(succeeded(&chain, IConsensus::getNodesCall {}.abi_encode()), view_works, "{opcode:x?}");
        let block = chain.run(&[alice.send(TxKind::Call(contract), 0, 1_000_000, remove(4))]);
        assert_eq!(voters(&block).len(), 4);
        assert_eq!(chain.state.slot(contract, 0), before, "the caller's own storage is its own");
    }
}

#[test]
fn refusals_say_what_why_and_what_to_do() {
    let (mut chain, mut alice) = administered();
    let (me, bob) = (alice.address(), Account::new(2).address());
    let not_bob = reason(&chain, bob, remove(1));
    assert!(not_bob.contains(&me.to_string()) && not_bob.contains(&bob.to_string()), "{not_bob}");
    assert!(reason(&chain, me, remove(77)).contains("is not known"));
    assert!(reason(&chain, me, add_sealer(1, 1)).contains("use setWeight"));
    assert!(reason(&chain, me, add_sealer(5, 1 << 33)).contains("more than 4294967296 in all"));
    assert!(reason(&chain, me, hex!("deadbeef01")).contains("selector 0xdeadbeef"));
    assert!(reason(&chain, me, []).contains("check the ABI"), "a plain transfer");
    let cut = remove(1).slice(..40);
    assert!(reason(&chain, me, cut).contains("cannot be decoded"));
    let valued = alice.send(TxKind::Call(VALIDATORS_ADDRESS), 5, GAS, remove(1));
    let block = chain.run(&[valued]);
    assert!(!block.receipts[0].status() && chain.state.balance(VALIDATORS_ADDRESS).is_zero());
    for last in [1, 2, 3] {
        assert!(chain.run(&[to_contract(&mut alice, remove(last))]).receipts[0].status());
    }
    assert!(reason(&chain, me, remove(4)).contains("last validator"));
}

/// Given a sound call, when it is made longer up to the bound, then it works; when it is one byte longer, or a contract
/// sends it in front of 1 MiB of memory, then it is refused for its length and costs what looking at it costs.
#[test]
fn input_beyond_the_bound_is_refused_unread() {
    let (mut chain, mut alice) = administered();
    let me = alice.address();
    let padded = |bytes: usize| {
        let mut data = remove(1).to_vec();
        data.resize(bytes, 0);
        data
    };
    assert_eq!(call(&chain, me, padded(1024)).status, CallStatus::Success);
    let why = "the input is longer than 1024 bytes";
    assert!(reason(&chain, me, padded(1025)).starts_with(why));
    assert!(reason(&chain, me, padded(1 << 20)).starts_with(why));

    // Sends its call data in front of 1 MiB of zeros, and returns what came back.
    let code = hex!("36 5f 5f 37 5f 5f 62100000 5f 5f 611003 5a f1 50 3d 5f 5f 3e 3d 5f f3");
    let contract = created(me, 0);
    chain.run(&[alice.send(TxKind::Create, 0, 1_000_000, deployer(&code))]);
    let request = CallRequest { to: Some(contract), data: remove(1), ..CallRequest::default() };
    let outcome =
        chain.executor.call(&chain.head, &chain.state, &request, &Overrides::default()).expect("it starts");
    assert_eq!(outcome.status, CallStatus::Success, "{outcome:?}");
    assert!(decode_revert(&outcome.output).expect("a reason").starts_with(why));
}

/// Without an administrator in genesis the zero address, which any call may claim to be, is none either.
#[test]
fn a_chain_without_an_administrator_keeps_its_set() {
    let chain = Chain::new(Fork::Osaka);
    for from in [Address::ZERO, Account::new(1).address(), VALIDATORS_ADDRESS] {
        assert!(reason(&chain, from, remove(1)).contains("no administrator"));
    }
    let administrator = call(&chain, Address::ZERO, IConsensus::getAdministratorCall {}.abi_encode());
    assert_eq!(administrator.output, Bytes::from([0; 32]));
}

#[test]
fn a_change_costs_what_is_documented_and_an_estimate_finds_it() {
    let (mut chain, mut alice) = administered();
    let data = add_sealer(5, 1);
    let bytes: u64 = data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum();
    let cost = 21_000 + bytes + CHANGE_GAS + 4 * NODE_GAS;

    let short = alice.send(TxKind::Call(VALIDATORS_ADDRESS), 0, cost - 1, data.clone());
    let block = chain.run(&[short]);
    assert!(!block.receipts[0].status(), "one gas too little");
    assert_eq!(voters(&block).len(), 4);

    let request = CallRequest {
        from: alice.address(),
        to: Some(VALIDATORS_ADDRESS),
        data: data.clone(),
        ..CallRequest::default()
    };
    let estimate = chain
        .executor
        .estimate(&chain.head, &chain.state, &request, &Overrides::default())
        .expect("it can succeed");
    let block = chain.run(&[alice.send(TxKind::Call(VALIDATORS_ADDRESS), 0, estimate, data)]);
    assert!(block.receipts[0].status());
    assert_eq!(gas_of_each(&block), [cost]);
    let refused = CallRequest { data: remove(99), ..request };
    let error = chain
        .executor
        .estimate(&chain.head, &chain.state, &refused, &Overrides::default())
        .expect_err("it reverts");
    assert!(error.to_string().contains("is not known"), "{error}");
}

/// What FISCO BCOS's clients call, and what keeps Solidity's callers from taking the address for an empty one.
#[test]
fn names_are_fiscos_and_there_is_code() {
    let selector = |signature: &str| keccak256(signature)[..4].to_vec();
    assert_eq!(IConsensus::addSealerCall::SELECTOR[..], selector("addSealer(string,uint256)"));
    assert_eq!(IConsensus::addObserverCall::SELECTOR[..], selector("addObserver(string)"));
    assert_eq!(IConsensus::removeCall::SELECTOR[..], selector("remove(string)"));
    assert_eq!(IConsensus::setWeightCall::SELECTOR[..], selector("setWeight(string,uint256)"));
    let (chain, alice) = administered();
    assert!(!chain.state.code(VALIDATORS_ADDRESS).is_empty());
    let done = call(&chain, alice.address(), add_sealer(5, 1));
    assert_eq!((done.status, done.output), (CallStatus::Success, Bytes::from([0; 32])), "0 is success");
}
