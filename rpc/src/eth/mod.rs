//! The `eth` namespace, a file for each topic: its methods with their names and parameters, and what answers them.

mod blocks;
mod call;
mod chain;
mod fees;
mod filters;
mod logs;
mod overrides;
mod params;
mod proof;
mod state;
mod transactions;

use std::sync::Arc;

use jsonrpsee::{
    RpcModule,
    core::{RegisterMethodError, RpcResult},
};
use tokio::sync::Semaphore;

pub(crate) use logs::{check_size, to_filter};
pub(crate) use overrides::overrides;
pub(crate) use params::FilterParam;

use crate::{Backend, RpcLimits, error::RpcError};

/// Calls, estimates and searches under way at a time; further ones wait. More would only share the cores, and take
/// from consensus.
const MAX_HEAVY: usize = 8;

/// The namespace over a backend.
#[derive(Clone)]
pub(crate) struct Eth {
    pub(crate) backend: Backend,
    limits: RpcLimits,
    heavy: Arc<Semaphore>,
    filters: Arc<filters::Filters>,
}

/// All methods of the namespace but its subscriptions.
pub(crate) fn module(eth: &Eth) -> Result<RpcModule<()>, RegisterMethodError> {
    let mut module = RpcModule::new(());
    module.merge(chain::ChainApiServer::into_rpc(eth.clone()))?;
    module.merge(state::StateApiServer::into_rpc(eth.clone()))?;
    module.merge(call::CallApiServer::into_rpc(eth.clone()))?;
    module.merge(fees::FeesApiServer::into_rpc(eth.clone()))?;
    module.merge(blocks::BlocksApiServer::into_rpc(eth.clone()))?;
    module.merge(transactions::TransactionsApiServer::into_rpc(eth.clone()))?;
    module.merge(proof::ProofApiServer::into_rpc(eth.clone()))?;
    module.merge(logs::LogsApiServer::into_rpc(eth.clone()))?;
    module.merge(filters::FiltersApiServer::into_rpc(eth.clone()))?;
    Ok(module)
}

impl Eth {
    pub(crate) fn new(backend: Backend, limits: RpcLimits) -> Self {
        Self { backend, limits, heavy: Arc::new(Semaphore::new(MAX_HEAVY)), filters: Arc::default() }
    }

    /// Runs what takes long beside the async threads, few at a time. A panic in it is this call's error alone.
    pub(crate) async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> RpcResult<T> {
        let stopping = |error: &dyn std::fmt::Display| RpcError::Internal(error.to_string());
        let free = tokio::time::timeout(self.limits.call_timeout, self.heavy.clone().acquire_owned());
        let busy = |_| RpcError::Limit("the node is busy with other calls: try again".to_owned());
        let place = free.await.map_err(busy)?.map_err(|error| stopping(&error))?;
        let eth = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&eth)
        });
        Ok(done.await.map_err(|error| stopping(&error))??)
    }
}
