//! The administrator's transaction: estimated, signed here, sent, waited for.

use std::time::Duration;

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction as _, TxEip1559, TxEip4844};
use alloy_eips::Encodable2718 as _;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use jsonrpsee::rpc_params;
use quorate_types::{B256, Bytes, TxKind, U256, VALIDATORS_ADDRESS};
use serde_json::{Value, json};

use crate::{
    client::{Client, number},
    exit::{Exit, Failure},
};

/// How long a change may take to get into a block: many view changes of a chain that works at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the receipt is asked for.
const LOOK: Duration = Duration::from_millis(200);
/// Room above the estimate, in parts of it: other changes may come first and add nodes to read.
const SPARE_GAS_PART: u64 = 5;

/// What happened.
pub(super) struct Done {
    pub(super) hash: B256,
    pub(super) height: u64,
}

/// A transaction that the contract would accept at the head, with `tip` wei for each gas or what the node suggests.
///
/// # Errors
/// With [`Exit::Rejected`] and the contract's reason when it would refuse.
pub(super) async fn prepare(
    client: &Client,
    signer: &PrivateKeySigner,
    input: Bytes,
    tip: Option<u64>,
) -> Result<TxEip1559, Failure> {
    let from = signer.address();
    let request = json!({ "from": from, "to": VALIDATORS_ADDRESS, "data": input });
    let gas =
        read(client, "eth_estimateGas", client.call_with("eth_estimateGas", rpc_params![request]).await?)?;
    let nonce = client.call_with("eth_getTransactionCount", rpc_params![from, "pending"]).await?;
    let base_fee =
        read(client, "eth_getBlockByNumber", client.latest_block().await?["baseFeePerGas"].clone())?;
    let tip = match tip {
        Some(tip) => tip,
        None => read(client, "eth_maxPriorityFeePerGas", client.call("eth_maxPriorityFeePerGas").await?)?,
    };
    Ok(TxEip1559 {
        chain_id: read(client, "eth_chainId", client.call("eth_chainId").await?)?,
        nonce: read(client, "eth_getTransactionCount", nonce)?,
        gas_limit: gas + gas / SPARE_GAS_PART,
        max_fee_per_gas: max_fee(base_fee, tip),
        max_priority_fee_per_gas: u128::from(tip),
        to: TxKind::Call(VALIDATORS_ADDRESS),
        value: U256::ZERO,
        input,
        ..TxEip1559::default()
    })
}

/// The tip on top of twice the base fee, which it takes six full blocks (an eighth more each) to reach: the price of
/// the head alone would not do any more when the next block is full.
fn max_fee(base_fee: u64, tip: u64) -> u128 {
    2 * u128::from(base_fee) + u128::from(tip)
}

fn read(client: &Client, method: &str, answer: Value) -> Result<u64, Failure> {
    number(&answer).ok_or_else(|| {
        Failure::new(Exit::Other, format!("{} answered {method} with no number: {answer}", client.url()))
    })
}

/// Signs, sends, and waits until it is in a block.
///
/// # Errors
/// When it is refused, reverted, or in no block in time.
pub(super) async fn send(
    client: &Client,
    signer: &PrivateKeySigner,
    transaction: TxEip1559,
) -> Result<Done, Failure> {
    let signature = signer.sign_hash_sync(&transaction.signature_hash());
    let signature = signature.map_err(|error| Failure::new(Exit::Other, format!("cannot sign: {error}")))?;
    let signed = EthereumTxEnvelope::<TxEip4844>::from(transaction.into_signed(signature));
    let (hash, raw) = (*signed.tx_hash(), Bytes::from(signed.encoded_2718()));
    client.call_with("eth_sendRawTransaction", rpc_params![raw]).await?;
    let receipt = tokio::time::timeout(PATIENCE, receipt(client, hash)).await.map_err(|_| {
        Failure::new(
            Exit::Unreachable,
            format!(
                "transaction {hash} is in no block after {} s; it may still get into one\n  \
                 see `consensus status` for what the validators wait for",
                PATIENCE.as_secs()
            ),
        )
    })??;
    let height = read(client, "eth_getTransactionReceipt", receipt["blockNumber"].clone())?;
    match number(&receipt["status"]) {
        Some(1) => Ok(Done { hash, height }),
        _ => Err(Failure::new(
            Exit::Rejected,
            format!(
                "the change was refused in block {height} (transaction {hash}): another came first; look again"
            ),
        )),
    }
}

async fn receipt(client: &Client, hash: B256) -> Result<Value, Failure> {
    loop {
        let receipt = client.call_with("eth_getTransactionReceipt", rpc_params![hash]).await?;
        if !receipt.is_null() {
            return Ok(receipt);
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_can_pay_through_five_full_blocks() {
        let risen = (0..5).fold(1_000_000_000_u64, |fee, _| fee + fee / 8);
        assert!(max_fee(1_000_000_000, 7) >= u128::from(risen) + 7);
        assert_eq!(max_fee(7, 0), 14, "no tip");
        assert!(max_fee(u64::MAX, u64::MAX) > u128::from(u64::MAX), "it does not overflow");
    }
}
