//! Stories about the store, told over blocks that are built by hand.

mod accounts;
mod commit;
mod logs;
mod model;
mod proofs;
mod records;
mod rewind;
mod roots;
mod stops;
mod views;

use std::{path::Path, sync::Arc};

use alloy_consensus::{Receipt, TxType};
use quorate_types::{
    Address, B256, Block, Bytes, ChainConfig, CommitCertificate, ExecutedBlock, Genesis, GenesisValidator,
    Header, Height, Log, NodeKey, Phase, QuorumCertificate, ReceiptEnvelope, Signature, StateChanges, View,
    Vote,
};
use tempfile::TempDir;

use crate::{StorageError, Store, StoreOptions, TrieUpdate};

fn genesis_of(chain_id: u64) -> Genesis {
    let validator = |seed: u8| GenesisValidator {
        key: NodeKey::from_seed([seed; 32]).id(),
        weight: 1,
        fee_recipient: Address::repeat_byte(0xfe),
    };
    Genesis {
        config: ChainConfig::new(chain_id),
        timestamp: 1_700_000_000,
        validators: (1..=4).map(validator).collect(),
        alloc: std::collections::BTreeMap::new(),
    }
}

fn open(path: &Path) -> Result<Store, StorageError> {
    Store::open(path, &genesis_of(7), StoreOptions::default())
}

/// A block that may be committed, with all that this takes.
#[derive(Clone)]
struct Candidate {
    block: ExecutedBlock,
    certificate: CommitCertificate,
    update: TrieUpdate,
}

impl Candidate {
    fn commit(&self, store: &Store) -> Result<(), StorageError> {
        store.commit(&self.block, &self.certificate, self.update.clone())
    }

    /// The first half of a commit alone: what a stop between the halves leaves.
    fn decide(&self, store: &Store) {
        store.decide(&self.block, &self.certificate, &self.update).expect("decides");
    }

    fn height(&self) -> Height {
        self.block.block.height()
    }
}

/// A chain in a folder of its own.
struct Chain {
    folder: TempDir,
    store: Store,
}

impl Chain {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = open(folder.path()).expect("opens");
        Self { folder, store }
    }

    fn reopen(self) -> Self {
        let Self { folder, store } = self;
        drop(store);
        let store = open(folder.path()).expect("opens again");
        Self { folder, store }
    }

    fn candidate(&self, changes: StateChanges) -> Candidate {
        self.candidate_with(changes, &[])
    }

    /// A block on the head with one transaction for each list of logs.
    fn candidate_with(&self, changes: StateChanges, logs: &[Vec<Log>]) -> Candidate {
        let head = self.store.head();
        let (root, update) = self.store.root_after(None, &changes).expect("fits");
        let mut candidate = candidate(&head.header, head.hash, (root, update), changes, logs);
        candidate.block.next_validators = Arc::clone(&head.next_validators);
        candidate
    }

    fn extend(&self, changes: StateChanges) -> Candidate {
        let candidate = self.candidate(changes);
        candidate.commit(&self.store).expect("commits");
        candidate
    }
}

fn candidate(
    parent: &Header,
    parent_hash: B256,
    (state_root, update): (B256, TrieUpdate),
    changes: StateChanges,
    logs: &[Vec<Log>],
) -> Candidate {
    let height = parent.number + 1;
    let header = Header {
        parent_hash,
        number: height,
        state_root,
        timestamp: parent.timestamp + 1,
        extra_data: parent.extra_data.clone(),
        logs_bloom: logs.iter().flatten().collect(),
        ..Header::default()
    };
    let transactions: Vec<_> = (0..logs.len()).map(|index| raw_transaction(height, index)).collect();
    let receipt = |(index, logs): (u64, &Vec<Log>)| {
        let receipt =
            Receipt { status: true.into(), cumulative_gas_used: 21_000 * (index + 1), logs: logs.clone() };
        ReceiptEnvelope::from_typed(TxType::Eip1559, receipt.with_bloom())
    };
    let block = ExecutedBlock {
        senders: vec![Address::repeat_byte(0x5e); transactions.len()],
        block: Arc::new(Block::new(header, transactions)),
        receipts: (0..).zip(logs).map(receipt).collect(),
        changes: Arc::new(changes),
        next_validators: Arc::new(genesis_of(7).validator_set().expect("sound")),
        clock_ms: height * 1000,
    };
    let vote = Vote {
        phase: Phase::Commit,
        height: Height(height),
        view: View(height % 3),
        block_hash: block.hash(),
    };
    let certificate =
        QuorumCertificate { vote, signers: vec![0b111], signatures: vec![Signature([9; 64]); 3] };
    Candidate { block, certificate: CommitCertificate::new(certificate).expect("of commits"), update }
}

/// The store never decodes a transaction: any bytes will do.
fn raw_transaction(height: u64, index: usize) -> Bytes {
    format!("transaction {index} of block {height}").into_bytes().into()
}
