//! All methods of JSON-RPC, and what `rpc_modules` and `rpc.discover` say of them.

use std::collections::BTreeMap;

use jsonrpsee::{RpcModule, core::RegisterMethodError, server::Methods};
use serde_json::{Value, json};

use crate::{
    Development, RpcLimits,
    criteria::Criteria,
    debug::{DebugApiServer, trace::TraceApiServer},
    dev,
    eth::{self, Eth},
    fisco,
    quorate::{Quorate, QuorateApiServer as _},
    subscribe,
    turns::Turns,
    txpool::{Txpool, TxpoolApiServer as _},
    web3::{NetApiServer, Web3, Web3ApiServer},
};

/// Every method with its parameters.
const OPENRPC: &str = include_str!("../openrpc.json");
/// The methods that a development chain has beside them.
const OPENRPC_DEV: &str = include_str!("../openrpc-dev.json");
/// geth's: namespaces have had no other version since they have one.
const VERSION: &str = "1.0";

/// What `rpc.discover` answers: an OpenRPC document.
pub(crate) fn description(development: Option<&Development>) -> Value {
    let mut document: Value = serde_json::from_str(OPENRPC).expect("a test reads it");
    if development.is_some() {
        let further: Vec<Value> = serde_json::from_str(OPENRPC_DEV).expect("a test reads it");
        document["methods"].as_array_mut().expect("a test reads it").extend(further);
    }
    document
}

/// All methods over a backend.
pub(crate) fn all(
    eth: Eth,
    limits: RpcLimits,
    (turns, criteria): (Turns, Criteria),
    description: Value,
) -> Result<Methods, RegisterMethodError> {
    let mut module = RpcModule::new(());
    let backend = eth.backend.clone();
    module.merge(subscribe::module(backend.clone(), limits, turns, criteria)?)?;
    module.merge(eth::module(&eth)?)?;
    module.merge(TraceApiServer::into_rpc(eth.clone()))?;
    module.merge(DebugApiServer::into_rpc(eth.clone()))?;
    module.merge(Txpool(eth.clone()).into_rpc())?;
    let web3 = Web3(backend);
    module.merge(Web3ApiServer::into_rpc(web3.clone()))?;
    module.merge(NetApiServer::into_rpc(web3))?;
    module.merge(Quorate::new(eth.clone()).into_rpc())?;
    if let Some(development) = &eth.backend.development {
        module.merge(dev::module(&eth, development)?)?;
    }
    module.merge(fisco::module(eth)?)?;
    describe(&mut module, description)?;
    Ok(module.into())
}

/// Adds `rpc_modules`, which names the namespaces of `methods`, and `rpc.discover`, which describes each of them.
fn describe(methods: &mut RpcModule<()>, description: Value) -> Result<(), RegisterMethodError> {
    let names = methods.method_names().chain(["rpc_modules"]);
    let modules: BTreeMap<String, &str> =
        names.filter_map(|name| Some((name.split_once('_')?.0.to_owned(), VERSION))).collect();
    methods.register_method("rpc_modules", move |_, (), _| json!(modules))?;
    methods.register_method("rpc.discover", move |_, (), _| description.clone())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use alloy_signer_local::PrivateKeySigner;
    use parking_lot::Mutex;
    use quorate_execution::Executor;
    use quorate_storage::{Store, StoreOptions};
    use quorate_txpool::{NextBlock, Pool, PoolConfig};
    use quorate_types::{ChainConfig, Genesis, GenesisValidator, NodeKey};
    use serde_json::Value;
    use tokio::sync::{broadcast, mpsc, watch};

    use super::*;
    use crate::Backend;

    fn backend(folder: &std::path::Path) -> Backend {
        let key = NodeKey::from_seed([1; 32]).id();
        let validator = GenesisValidator { key, weight: 1, fee_recipient: Default::default() };
        let config = ChainConfig::new(7);
        let genesis = Genesis {
            config: config.clone(),
            timestamp: 0,
            validators: vec![validator],
            alloc: Default::default(),
        };
        let store = Store::open(folder, &genesis, StoreOptions::default()).expect("an empty folder");
        let next = NextBlock { height: store.head().height.next(), base_fee: 0 };
        Backend {
            executor: Arc::new(Executor::new(config.clone())),
            pool: Arc::new(Mutex::new(Pool::new(PoolConfig::default(), config.clone(), next))),
            submissions: mpsc::channel(1).0,
            head: watch::Sender::new(store.head().height).subscribe(),
            admitted: broadcast::channel(1).0,
            status: watch::Sender::default().subscribe(),
            consensus: watch::Sender::default().subscribe(),
            record: Default::default(),
            chain: Arc::new(config),
            development: None,
            store: Arc::new(store),
        }
    }

    /// `rpc.discover` describes what there is, and nothing else: clients are made from it, and surplus arguments are refused by
    /// it. Only a development chain has accounts and the control of time.
    #[tokio::test]
    async fn every_method_is_described() {
        let folder = tempfile::tempdir().expect("a folder");
        let node = backend(folder.path());
        let development =
            Development { accounts: vec![PrivateKeySigner::random()], controls: mpsc::channel(1).0 };
        let (of_node, of_development) = (
            names_of(node.clone()).await,
            names_of(Backend { development: Some(development), ..node }).await,
        );
        assert!(of_development.is_superset(&of_node));
        let further: Vec<_> = of_development.difference(&of_node).map(String::as_str).collect();
        assert_eq!(
            further,
            [
                "eth_sendTransaction",
                "eth_sign",
                "eth_signTypedData_v4",
                "evm_increaseTime",
                "evm_mine",
                "evm_revert",
                "evm_snapshot",
                "hardhat_metadata",
                "personal_sign"
            ]
        );
    }

    /// All methods, which are all that are described.
    async fn names_of(backend: Backend) -> BTreeSet<String> {
        let (limits, criteria) = (RpcLimits::default(), Criteria::default());
        let turns = Turns::new(limits.call_timeout);
        let description = description(backend.development.as_ref());
        let eth = Eth::new(backend, limits, turns.clone(), criteria.clone());
        let methods = all(eth, limits, (turns, criteria), description).expect("no name twice");
        let (document, _) = methods
            .raw_json_request(r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#, 1)
            .await
            .expect("an answer");
        let document: Value = serde_json::from_str(document.get()).expect("JSON");
        let described = document["result"]["methods"].as_array().expect("a list").iter();
        let described: BTreeSet<_> =
            described.map(|it| it["name"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(described, methods.method_names().map(str::to_owned).collect());
        described
    }
}
