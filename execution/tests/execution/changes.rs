//! State changes: every real difference, and nothing else.

use hex_literal::hex;
use quorate_types::{Address, Bytes, Fork, HISTORY_STORAGE_ADDRESS, SlotChange, U256};
use revm::primitives::TxKind;

use crate::chain::{Account, Chain, ETHER, FEES, changed, created, deployer};

/// Stores the first word of the call data in slot 0.
const STORE: [u8; 6] = hex!("5f 35 5f 55 00 00");
const BOB: Address = Address::repeat_byte(0xb0);

fn word(value: u64) -> Bytes {
    U256::from(value).to_be_bytes::<32>().into()
}

#[test]
fn touched_but_unchanged_accounts_stay_out() {
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    // BOB does not exist and gets nothing; the fee recipient earns nothing.
    let block = chain.run(&[alice.transfer(BOB, 0)]);
    assert_eq!(changed(&block), [alice.address(), HISTORY_STORAGE_ADDRESS].into());
}

#[test]
fn a_slot_that_gets_its_old_value_back_stays_out() {
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let contract = created(alice.address(), 0);
    let store = |alice: &mut Account, value| alice.send(TxKind::Call(contract), 0, 100_000, word(value));
    let deploy = alice.send(TxKind::Create, 0, 100_000, deployer(&STORE));
    let first = store(&mut alice, 5);
    let block = chain.run(&[deploy, first]);
    let five = SlotChange { before: U256::ZERO, after: U256::from(5) };
    assert_eq!(block.changes.accounts[&contract].storage, [(U256::ZERO, five)].into());
    assert_eq!(block.changes.codes.values().collect::<Vec<_>>(), [&Bytes::from(STORE)]);

    let there_and_back = [store(&mut alice, 6), store(&mut alice, 5)];
    let block = chain.run(&there_and_back);
    assert!(!changed(&block).contains(&contract));

    let through = [store(&mut alice, 6), store(&mut alice, 0)];
    let block = chain.run(&through);
    let cleared = SlotChange { before: U256::from(5), after: U256::ZERO };
    assert_eq!(block.changes.accounts[&contract].storage, [(U256::ZERO, cleared)].into());
    assert_eq!(block.changes.accounts[&contract].before, block.changes.accounts[&contract].after);
    assert_eq!(block.changes.codes, [].into());
}

/// EIP-6780: a contract that dies in the transaction that made it was never there.
#[test]
fn a_contract_that_dies_at_birth_leaves_only_its_value() {
    // Init code: SSTORE(0, 1), SELFDESTRUCT(BOB).
    let mut init = hex!("6001 5f 55 73").to_vec();
    init.extend_from_slice(BOB.as_slice());
    init.push(0xff);
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let contract = created(alice.address(), 0);
    let block = chain.run(&[alice.send(TxKind::Create, ETHER, 200_000, init)]);
    assert!(block.receipts[0].status());
    assert!(!changed(&block).contains(&contract));
    assert_eq!(chain.state.balance(BOB), U256::from(ETHER));
    assert_eq!(block.changes.codes, [].into());
}

/// EIP-6780: one that lived longer loses its value and keeps code and storage.
#[test]
fn a_contract_that_dies_later_keeps_its_code() {
    let mut code = hex!("73").to_vec();
    code.extend_from_slice(BOB.as_slice());
    code.push(0xff);
    let mut chain = Chain::new(Fork::Osaka);
    let mut alice = Account::new(1);
    let contract = created(alice.address(), 0);
    // Both in one block: the same transaction counts, not the same block. Endowed after it exists.
    let block = chain.run(&[
        alice.send(TxKind::Create, 0, 100_000, deployer(&code)),
        alice.send(TxKind::Call(contract), ETHER, 100_000, Bytes::new()),
    ]);
    assert!(block.receipts[1].status());
    assert_eq!(chain.state.code(contract), Bytes::from(code));
    assert_eq!(chain.state.balance(contract), U256::ZERO);
    assert_eq!(chain.state.balance(BOB), U256::from(ETHER));
}

/// EIP-161: an account that was emptied, then touched, is gone.
#[test]
fn an_emptied_account_is_cleared() {
    let poor = Account::new(9).address();
    let edit = |genesis: &mut quorate_types::Genesis| {
        // An empty account with storage is what an old genesis may hold; only such can be cleared.
        let account = genesis.alloc.entry(poor).or_default();
        account.storage = Some([(Default::default(), U256::from(7).into())].into());
    };
    let chain = Chain::with(Fork::Osaka, edit);
    let mut alice = Account::new(1);
    let block = chain.build(&[alice.transfer(poor, 0)]).block;
    let change = &block.changes.accounts[&poor];
    assert!(change.before.is_some());
    assert_eq!(change.after, None);
}

#[test]
fn code_that_two_contracts_share_is_kept_once() {
    let mut chain = Chain::new(Fork::Osaka);
    let (mut alice, mut carol) = (Account::new(1), Account::new(2));
    let block = chain.run(&[
        alice.send(TxKind::Create, 0, 100_000, deployer(&STORE)),
        carol.send(TxKind::Create, 0, 100_000, deployer(&STORE)),
        carol.send(TxKind::Call(created(alice.address(), 0)), 0, 100_000, word(1)),
    ]);
    assert_eq!(block.changes.codes.len(), 1);
    assert_eq!(chain.state.slot(created(alice.address(), 0), 0), U256::from(1));
    assert_eq!(chain.state.balance(FEES), U256::ZERO);
}
