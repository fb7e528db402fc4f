//! The three forks: what each adds, and that heights choose between them.

use hex_literal::hex;
use quorate_execution::Unfit;
use quorate_types::{Address, Bytes, Fork, HISTORY_STORAGE_ADDRESS, U256};
use revm::primitives::TxKind;

use crate::chain::{Account, Chain, changed, created, deployer};

const FORKS: [Fork; 3] = [Fork::Cancun, Fork::Prague, Fork::Osaka];
const BOB: Address = Address::repeat_byte(0xb0);

#[test]
fn blocks_are_built_and_checked_on_every_fork() {
    for fork in FORKS {
        let mut chain = Chain::new(fork);
        let mut alice = Account::new(1);
        for _ in 0..3 {
            chain.run(&[alice.transfer(BOB, 1), alice.transfer_1559(BOB, 3, 1)]);
        }
        assert_eq!(chain.head.number, 3);
        assert_eq!(chain.state.balance(BOB), U256::from(6));
        assert_eq!(chain.head.requests_hash.is_some(), fork >= Fork::Prague);
    }
}

/// EIP-2935, from Prague on: slot (number - 1) % 8191 holds the parent's hash, and contracts read it.
#[test]
fn the_history_contract_serves_the_parents_hash() {
    for fork in FORKS {
        let mut chain = Chain::new(fork);
        let genesis = chain.head.hash_slow();
        let block = chain.run(&[]);
        assert_eq!(changed(&block).contains(&HISTORY_STORAGE_ADDRESS), fork >= Fork::Prague);
        let first = chain.head.hash_slow();
        chain.run(&[]);
        let want = if fork >= Fork::Prague {
            (U256::from_be_bytes(genesis.0), U256::from_be_bytes(first.0))
        } else {
            Default::default()
        };
        let have =
            (chain.state.slot(HISTORY_STORAGE_ADDRESS, 0), chain.state.slot(HISTORY_STORAGE_ADDRESS, 1));
        assert_eq!(have, want, "{fork:?}");
    }
}

/// CLZ (EIP-7939) is Osaka's: before it, the opcode halts.
#[test]
fn opcodes_come_with_their_fork() {
    // SSTORE(0, CLZ(1))
    const CODE: [u8; 6] = hex!("6001 1e 5f 55 00");
    for fork in FORKS {
        let mut chain = Chain::new(fork);
        let mut alice = Account::new(1);
        let contract = created(alice.address(), 0);
        let block = chain.run(&[
            alice.send(TxKind::Create, 0, 100_000, deployer(&CODE)),
            alice.send(TxKind::Call(contract), 0, 100_000, Bytes::new()),
        ]);
        assert_eq!(block.receipts[1].status(), fork == Fork::Osaka, "{fork:?}");
        let want = if fork == Fork::Osaka { U256::from(255) } else { U256::ZERO };
        assert_eq!(chain.state.slot(contract, 0), want);
    }
}

#[test]
fn the_height_chooses_the_fork() {
    let mut chain = Chain::with(Fork::Cancun, |genesis| {
        genesis.config.forks.insert(Fork::Prague, 2);
    });
    chain.run(&[]);
    assert_eq!(chain.head.requests_hash, None);
    let parent = chain.head.hash_slow();
    chain.run(&[]);
    assert!(chain.head.requests_hash.is_some());
    assert_eq!(chain.state.slot(HISTORY_STORAGE_ADDRESS, 1), U256::from_be_bytes(parent.0));
}

/// EIP-7702: an account takes over a contract's code, and drops it again.
#[test]
fn an_account_delegates_to_code_from_prague_on() {
    // SSTORE(0, 7)
    const CODE: [u8; 5] = hex!("6007 5f 55 00");
    for fork in [Fork::Prague, Fork::Osaka] {
        let mut chain = Chain::new(fork);
        let (mut alice, bob) = (Account::new(1), Account::new(77));
        let contract = created(alice.address(), 0);
        chain.run(&[alice.send(TxKind::Create, 0, 100_000, deployer(&CODE))]);
        let authorization = bob.authorize(contract, 0);
        let block = chain.run(&[alice.delegate(bob.address(), vec![authorization])]);

        assert!(block.receipts[0].status());
        assert_eq!(chain.state.slot(bob.address(), 0), U256::from(7), "the code ran in bob's account");
        assert_eq!(chain.state.code(bob.address()), [&hex!("ef0100")[..], contract.as_slice()].concat());
        assert_eq!(chain.state.account(bob.address()).expect("exists").nonce, 1);

        let clearing = bob.authorize(Address::ZERO, 1);
        chain.run(&[alice.delegate(BOB, vec![clearing])]);
        assert!(!chain.state.account(bob.address()).expect("exists").has_code());
    }
}

#[test]
fn an_authorization_with_an_unsound_signature_is_skipped_alone() {
    let mut chain = Chain::new(Fork::Osaka);
    let (mut alice, bob, carol) = (Account::new(1), Account::new(77), Account::new(78));
    let good = bob.authorize(BOB, 0);
    let signed = carol.authorize(BOB, 0);
    // The same point with the other s: EIP-7702 takes low ones only.
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let parity = 1 - signed.y_parity();
    let unsound = [
        alloy_eips::eip7702::SignedAuthorization::new_unchecked(
            signed.inner().clone(),
            parity,
            signed.r(),
            order - signed.s(),
        ),
        alloy_eips::eip7702::SignedAuthorization::new_unchecked(
            signed.inner().clone(),
            27,
            signed.r(),
            signed.s(),
        ),
    ];
    let block = chain.run(&[alice.delegate(BOB, [&unsound[..], &[good]].concat())]);
    assert!(block.receipts[0].status());
    assert!(chain.state.account(bob.address()).expect("exists").has_code());
    assert_eq!(chain.state.account(carol.address()), None);
}

#[test]
fn delegations_are_refused_before_prague() {
    let chain = Chain::new(Fork::Cancun);
    let (mut alice, bob) = (Account::new(1), Account::new(77));
    let built = chain.build(&[alice.delegate(BOB, vec![bob.authorize(BOB, 0)])]);
    assert_eq!(built.skipped[0].1, Unfit::Never("transaction type not supported: type 4".to_owned()));
}
