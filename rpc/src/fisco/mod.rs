//! The methods of FISCO BCOS 3 by their names, for tools that know these alone. A chain is one group, `group0`, and every node
//! answers for itself; what there is no counterpart for is not here (`docs/fisco.md`).

mod arguments;
mod blocks;
mod consensus;
mod group;

use std::sync::Arc;

use jsonrpsee::{
    RpcModule,
    core::{RegisterMethodError, RpcResult},
};
use parking_lot::Mutex;
use serde_json::Value;

use self::arguments::Arguments;
use crate::{Backend, error::RpcError, eth::Eth, turns::Weight};

/// The only group.
const GROUP: &str = "group0";

type Answer = fn(&Fisco, &Arguments) -> Result<Value, RpcError>;

/// Whether a method's parameters name a node beside the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addressed {
    ToNode,
    ToGroup,
}

const METHODS: [(&str, Addressed, Weight, Answer); 24] = {
    use Addressed::{ToGroup, ToNode};
    use Weight::{Call, Read};
    [
        ("getBlockNumber", ToNode, Read, Fisco::block_number),
        ("getBlockByNumber", ToNode, Read, Fisco::block_by_number),
        ("getBlockByHash", ToNode, Read, Fisco::block_by_hash),
        ("getBlockHashByNumber", ToNode, Read, Fisco::block_hash),
        ("getTransaction", ToNode, Read, Fisco::transaction),
        ("getTransactionReceipt", ToNode, Read, Fisco::receipt),
        ("getTotalTransactionCount", ToNode, Call, Fisco::total_transactions),
        ("call", ToNode, Call, Fisco::call),
        ("getCode", ToNode, Read, Fisco::code),
        ("getABI", ToNode, Read, Fisco::abi),
        ("getSealerList", ToNode, Read, Fisco::sealers),
        ("getObserverList", ToNode, Read, Fisco::observers),
        ("getNodeListByType", ToNode, Read, Fisco::nodes_by_type),
        ("getPbftView", ToNode, Read, Fisco::view),
        ("getPendingTxSize", ToNode, Read, Fisco::pending_size),
        ("getSyncStatus", ToNode, Read, Fisco::sync_status),
        ("getConsensusStatus", ToNode, Read, Fisco::consensus_status),
        ("getSystemConfigByKey", ToNode, Read, Fisco::system_config),
        ("getPeers", ToGroup, Read, Fisco::peers),
        ("getGroupPeers", ToGroup, Read, Fisco::group_peers),
        ("getGroupList", ToGroup, Read, Fisco::groups),
        ("getGroupInfo", ToGroup, Read, Fisco::group_info),
        ("getGroupInfoList", ToGroup, Read, Fisco::group_infos),
        ("getGroupNodeInfo", ToNode, Read, Fisco::node_info),
    ]
};

/// What the methods answer from.
#[derive(Clone)]
struct Fisco {
    eth: Eth,
    /// Only what is new since the last question is counted.
    counted: Arc<Mutex<blocks::Counted>>,
}

impl Fisco {
    fn backend(&self) -> &Backend {
        &self.eth.backend
    }
}

/// All methods.
pub(crate) fn module(eth: Eth) -> Result<RpcModule<()>, RegisterMethodError> {
    let mut module = RpcModule::new(Fisco { eth, counted: Arc::default() });
    for (name, addressed, weight, answer) in METHODS {
        module.register_async_method(name, move |params, fisco, _| {
            let arguments = Arguments::read(&params, addressed);
            async move { RpcResult::Ok(fisco.answer(weight, answer, arguments?).await?) }
        })?;
    }
    Ok(module.remove_context())
}

impl Fisco {
    async fn answer(&self, weight: Weight, answer: Answer, arguments: Arguments) -> Result<Value, RpcError> {
        let fisco = self.clone();
        self.eth.turns.run(weight, move || answer(&fisco, &arguments)).await
    }
}
