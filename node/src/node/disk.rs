//! What is read from disk before anything runs: genesis, key, database, vote log.

use std::sync::Arc;

use eyre::WrapErr as _;
use quorate_consensus::{Head, Recovered, Trust};
use quorate_storage::{Store, StoreOptions};
use quorate_types::{ChainConfig, Domain, Genesis, Height, NodeKey};
use quorate_vote_log::VoteLog;

use super::VoteLogTrust;
use crate::{
    config::NodeConfig,
    exit::{Exit, Failure},
    identity::vote_log_identity,
    peering, recovered,
};

/// Everything that survives a restart.
pub(super) struct Disk {
    pub(super) chain: Arc<ChainConfig>,
    pub(super) domain: Domain,
    pub(super) key: NodeKey,
    pub(super) store: Arc<Store>,
    pub(super) log: VoteLog,
    pub(super) recovered: Recovered,
}

impl Disk {
    /// Opens and checks all of it.
    pub(super) fn open(config: &NodeConfig, trust: VoteLogTrust) -> eyre::Result<Self> {
        let file = config.genesis.display();
        let text = std::fs::read_to_string(&config.genesis)
            .map_err(|error| Failure::new(Exit::Configuration, format!("cannot read {file}: {error}")))?;
        let genesis = Genesis::from_json(&text).wrap_err_with(|| file.to_string())?;
        let key = peering::read_key(&config.identity.key)?;
        let corrupt = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(Exit::Corrupt, format!("{what} in {}: {error}", config.data_dir.display()))
        };
        std::fs::create_dir_all(&config.data_dir).map_err(|error| corrupt("no data folder", &error))?;
        let store = Store::open(&config.data_dir.join("chain"), &genesis, StoreOptions::default())
            .map_err(|error| corrupt("the database", &error))?;
        // The store has checked that its block 0 is the file's, so nobody has to hash all accounts again.
        let first = store.hash_of(Height::ZERO).map_err(|error| corrupt("the database", &error))?;
        let genesis_hash = first.ok_or_else(|| corrupt("the database", &"block 0 is missing"))?;
        let domain = Domain { chain_id: genesis.config.chain_id, genesis_hash };
        let identity = vote_log_identity(&domain, &key.id());
        let (mut log, recovery) = VoteLog::open(&config.data_dir, identity, store.head().height)
            .map_err(|error| corrupt("the vote log", &error))?;
        let mut recovered = recovered::read(recovery);
        if trust == VoteLogTrust::Complete && recovered.trust == Trust::None {
            tracing::warn!(
                "told to trust the vote log: this key must have signed nothing that is missing in it"
            );
            log.trust(store.head().height);
            recovered.trust = Trust::Full;
        }
        Ok(Self { chain: Arc::new(genesis.config), domain, key, store: Arc::new(store), log, recovered })
    }

    /// The first lines of the log: what chain, who, where it stands, and what its validators tolerate.
    pub(super) fn introduce(&self) {
        let head = self.store.head();
        let (me, set) = (self.key.id(), &head.next_validators);
        let role = if set.contains(&me) { "validator" } else { "observer" };
        tracing::info!(
            chain_id = self.domain.chain_id, genesis = %self.domain.genesis_hash, node = %me, role, height = %head.height,
            hash = %head.hash, validators = set.len(), quorum = set.quorum(), "opened the chain"
        );
        if let Some(weakness) = set.weakness() {
            tracing::warn!("{weakness}");
        }
    }

    /// The durable head as the replica and the syncer take it.
    pub(super) fn head(&self) -> Head {
        let head = self.store.head();
        Head { height: head.height, hash: head.hash, next_validators: head.next_validators.clone() }
    }
}
