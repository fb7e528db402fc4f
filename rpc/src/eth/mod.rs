//! The `eth` namespace, a file for each topic: its methods with their names and parameters, and what answers them.

mod blocks;
mod call;
mod capabilities;
mod chain;
mod fees;
mod fill;
mod filters;
mod logs;
mod overrides;
mod params;
mod proof;
mod simulate;
mod state;
mod transactions;

use std::sync::Arc;

use jsonrpsee::{
    RpcModule,
    core::{RegisterMethodError, RpcResult},
};

pub(crate) use overrides::overrides;
pub(crate) use params::{FilterParam, Prefixed};

use crate::{
    Backend, RpcLimits,
    criteria::Criteria,
    error::RpcError,
    turns::{Turns, Weight},
};

/// The namespace over a backend.
#[derive(Clone)]
pub(crate) struct Eth {
    pub(crate) backend: Backend,
    pub(crate) limits: RpcLimits,
    pub(crate) turns: Turns,
    criteria: Criteria,
    filters: Arc<filters::Filters>,
}

/// All methods of the namespace but its subscriptions.
pub(crate) fn module(eth: &Eth) -> Result<RpcModule<()>, RegisterMethodError> {
    let mut module = RpcModule::new(());
    module.merge(chain::ChainApiServer::into_rpc(eth.clone()))?;
    module.merge(capabilities::CapabilitiesApiServer::into_rpc(eth.clone()))?;
    module.merge(state::StateApiServer::into_rpc(eth.clone()))?;
    module.merge(call::CallApiServer::into_rpc(eth.clone()))?;
    module.merge(fill::FillApiServer::into_rpc(eth.clone()))?;
    module.merge(simulate::SimulateApiServer::into_rpc(eth.clone()))?;
    module.merge(fees::FeesApiServer::into_rpc(eth.clone()))?;
    module.merge(blocks::BlocksApiServer::into_rpc(eth.clone()))?;
    module.merge(transactions::TransactionsApiServer::into_rpc(eth.clone()))?;
    module.merge(proof::ProofApiServer::into_rpc(eth.clone()))?;
    module.merge(logs::LogsApiServer::into_rpc(eth.clone()))?;
    module.merge(filters::FiltersApiServer::into_rpc(eth.clone()))?;
    Ok(module)
}

impl Eth {
    pub(crate) fn new(backend: Backend, limits: RpcLimits, turns: Turns, criteria: Criteria) -> Self {
        Self { backend, limits, turns, criteria, filters: Arc::default() }
    }

    /// Runs what takes milliseconds of the disk's time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> RpcResult<T> {
        self.run(Weight::Read, work).await
    }

    /// Runs what takes long.
    pub(crate) async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> RpcResult<T> {
        self.run(Weight::Call, work).await
    }

    /// Runs what takes long and fills memory.
    pub(crate) async fn large<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> RpcResult<T> {
        self.run(Weight::Large, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce(&Self) -> Result<T, RpcError> + Send + 'static,
    ) -> RpcResult<T> {
        let eth = self.clone();
        Ok(self.turns.run(weight, move || work(&eth)).await?)
    }
}
