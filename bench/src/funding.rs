//! Who pays: ether for the senders, contracts, and what else has to be in blocks before the load.

use std::time::{Duration, Instant};

use alloy_consensus::TxEip1559;
use alloy_signer_local::PrivateKeySigner;
use jsonrpsee::{
    core::{client::ClientT, params::ArrayParams},
    http_client::{HttpClient, HttpClientBuilder},
    rpc_params,
};
use quorate_types::{Address, B256, Bytes, TxKind, U64, U256};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    BenchError, Plan,
    http::HttpConnection,
    workload::{code_of, signed},
};

/// Transactions of one batch; every node takes so many.
const BATCH: usize = 100;
/// Between two questions for a receipt.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Funder {
    signer: PrivateKeySigner,
    node: Node,
    others: Vec<Node>,
    connection: HttpConnection,
    nonce: u64,
    last: Option<B256>,
    patience: Duration,
    pub(crate) chain_id: u64,
    pub(crate) max_fee: u128,
    pub(crate) tip: u128,
}

/// A node that is asked.
pub(crate) struct Node {
    pub(crate) url: String,
    client: HttpClient,
}

impl Node {
    pub(crate) fn at(url: &str) -> Result<Self, BenchError> {
        let client = HttpClientBuilder::default().build(url).map_err(|error| BenchError::node(url, error))?;
        Ok(Self { url: url.to_owned(), client })
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        params: ArrayParams,
    ) -> Result<T, BenchError> {
        let answer = self.client.request(method, params).await;
        answer.map_err(|error| BenchError::node(&self.url, format!("{method}: {error}")))
    }
}

impl Funder {
    /// At the plan's first endpoint.
    pub(crate) async fn of(plan: &Plan) -> Result<Self, BenchError> {
        let node = Node::at(&plan.endpoints[0])?;
        let others = plan.endpoints[1..].iter().chain([&plan.watched]);
        let chain_id: U64 = node.ask("eth_chainId", rpc_params![]).await?;
        let tip: u128 = node.ask::<U256>("eth_maxPriorityFeePerGas", rpc_params![]).await?.saturating_to();
        let price: u128 = node.ask::<U256>("eth_gasPrice", rpc_params![]).await?.saturating_to();
        let address = plan.funder.address();
        let nonce: U64 = node.ask("eth_getTransactionCount", rpc_params![address, "pending"]).await?;
        Ok(Self {
            connection: HttpConnection::open(&node.url).await?,
            others: others.map(|url| Node::at(url)).collect::<Result<_, _>>()?,
            signer: plan.funder.clone(),
            node,
            nonce: nonce.to(),
            last: None,
            patience: plan.patience,
            chain_id: chain_id.to(),
            max_fee: 2 * price,
            tip,
        })
    }

    /// Gives each what so many transactions of so much gas cost at most, and a wei for each to send.
    pub(crate) async fn pay(
        &mut self,
        senders: &[Address],
        transactions: u64,
        gas_limit: u64,
    ) -> Result<(), BenchError> {
        let each =
            U256::from(transactions) * (U256::from(gas_limit) * U256::from(self.max_fee) + U256::from(1));
        let (address, need) = (self.signer.address(), each * U256::from(senders.len()));
        let have: U256 = self.node.ask("eth_getBalance", rpc_params![address, "latest"]).await?;
        if have <= need {
            return Err(BenchError::Poor { address, have, need });
        }
        for part in senders.chunks(BATCH) {
            let mut raw = Vec::with_capacity(part.len());
            for sender in part {
                raw.push(self.sign(TxKind::Call(*sender), each, Bytes::new(), 21_000)?);
            }
            self.send(&raw).await?;
        }
        Ok(())
    }

    /// Deploys code; tells where it is.
    pub(crate) async fn deploy(&mut self, code: &str) -> Result<Address, BenchError> {
        let address = self.signer.address().create(self.nonce);
        let raw = self.sign(TxKind::Create, U256::ZERO, code_of(code)?, 1_500_000)?;
        self.send(&[raw]).await?;
        Ok(address)
    }

    pub(crate) async fn call(&mut self, to: Address, input: Bytes, gas_limit: u64) -> Result<(), BenchError> {
        let raw = self.sign(TxKind::Call(to), U256::ZERO, input, gas_limit)?;
        self.send(&[raw]).await
    }

    /// Waits until all of it is in blocks, on every node.
    pub(crate) async fn settle(&self, senders: &[Address]) -> Result<(), BenchError> {
        let Some(last) = self.last else { return Ok(()) };
        for node in [&self.node].into_iter().chain(&self.others) {
            let deadline = Instant::now() + self.patience;
            let receipt = loop {
                let receipt: Option<Value> = node.ask("eth_getTransactionReceipt", rpc_params![last]).await?;
                if let Some(receipt) = receipt {
                    break receipt;
                }
                if Instant::now() > deadline {
                    let what = format!("{last} is in no block of {} after {:?}", node.url, self.patience);
                    return Err(BenchError::Preparing(what));
                }
                tokio::time::sleep(PAUSE).await;
            };
            if receipt["status"] != "0x1" {
                return Err(BenchError::Preparing(format!("{last} failed")));
            }
        }
        let poor = senders.last().copied().unwrap_or_default();
        let balance: U256 = self.node.ask("eth_getBalance", rpc_params![poor, "latest"]).await?;
        if balance.is_zero() {
            return Err(BenchError::Preparing(format!("{poor} was not paid")));
        }
        Ok(())
    }

    fn sign(
        &mut self,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> Result<bytes::Bytes, BenchError> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit,
            max_fee_per_gas: self.max_fee,
            max_priority_fee_per_gas: self.tip,
            to,
            value,
            input,
            ..TxEip1559::default()
        };
        self.nonce += 1;
        let (hash, raw) = signed(&self.signer, transaction)?;
        self.last = Some(hash);
        Ok(raw)
    }

    async fn send(&mut self, raw: &[bytes::Bytes]) -> Result<(), BenchError> {
        for outcome in self.connection.submit(raw).await? {
            outcome.map_err(|reason| BenchError::node(&self.node.url, reason))?;
        }
        Ok(())
    }
}
