//! A wallet as SDKs are: alloy signs, JSON-RPC carries.

use std::time::Duration;

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844};
use alloy_eips::Encodable2718;
use alloy_signer::SignerSync;
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use jsonrpsee::{
    core::{ClientError, client::ClientT},
    http_client::HttpClient,
    rpc_params,
};
use quorate_types::{Address, B256, Bytes, TxKind, U256, VALIDATORS_ADDRESS, hex, keccak256};
use serde_json::Value;

use crate::cluster::wait_until;

/// The chain id of `testnet new`.
const CHAIN_ID: u64 = 20200;
/// What every transaction offers the leader for each gas.
const TIP: u128 = 1_000_000_000;
/// The well-known development mnemonic.
const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// One account, counting its own nonces.
pub struct Wallet {
    signer: PrivateKeySigner,
    nonce: u64,
}

impl Wallet {
    /// A funded development account.
    #[must_use]
    pub fn development(index: u32) -> Self {
        let builder =
            MnemonicBuilder::<English>::default().phrase(MNEMONIC).index(index).expect("a small index");
        Self { signer: builder.build().expect("a valid phrase"), nonce: 0 }
    }

    /// An account that owns nothing yet.
    #[must_use]
    pub fn fresh(seed: u32) -> Self {
        let secret = keccak256(seed.to_be_bytes());
        Self { signer: PrivateKeySigner::from_bytes(&secret).expect("a valid key"), nonce: 0 }
    }

    /// Goes on from the nonce that the chain expects next.
    pub fn resume(&mut self, nonce: u64) {
        self.nonce = nonce;
    }

    /// Where it is paid.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Its private key in hex, for a client that signs itself.
    #[must_use]
    pub fn secret(&self) -> String {
        self.signer.to_bytes().to_string()
    }

    /// Signs a transfer with the next nonce.
    pub fn transfer(&mut self, to: Address, value: u64) -> Bytes {
        self.sign(TxKind::Call(to), U256::from(value), Bytes::new(), 21_000)
    }

    /// Signs a transfer of 1 wei with the next nonce that pays more for its gas than any block asks for.
    pub fn transfer_at_most(&mut self, to: Address, max_fee_per_gas: u128) -> Bytes {
        let wei = U256::from(1);
        self.sign_paying(max_fee_per_gas, TxKind::Call(to), wei, Bytes::new(), 21_000)
    }

    /// Signs a deployment with the next nonce.
    pub fn deploy(&mut self, code: Bytes) -> Bytes {
        self.sign(TxKind::Create, U256::ZERO, code, 500_000)
    }

    /// Signs a call with the next nonce.
    pub fn call(&mut self, to: Address, data: Bytes) -> Bytes {
        self.sign(TxKind::Call(to), U256::ZERO, data, 100_000)
    }

    /// Signs a call of the consensus contract with the next nonce: dearer than other calls.
    pub fn call_consensus(&mut self, data: Bytes) -> Bytes {
        self.sign(TxKind::Call(VALIDATORS_ADDRESS), U256::ZERO, data, 400_000)
    }

    fn sign(&mut self, to: TxKind, value: U256, input: Bytes, gas_limit: u64) -> Bytes {
        self.sign_paying(TIP, to, value, input, gas_limit)
    }

    fn sign_paying(
        &mut self,
        max_fee_per_gas: u128,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> Bytes {
        let transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas: TIP,
            to,
            value,
            input,
            ..TxEip1559::default()
        };
        self.nonce += 1;
        let signature =
            self.signer.sign_hash_sync(&transaction.signature_hash()).expect("a key in memory signs");
        EthereumTxEnvelope::<TxEip4844>::from(transaction.into_signed(signature)).encoded_2718().into()
    }
}

/// Asks a node anything; an error is its code and its message.
///
/// # Errors
/// Those of the node.
pub async fn ask(client: &HttpClient, method: &str, params: Value) -> Result<Value, (i32, String)> {
    let mut list = rpc_params![];
    params.as_array().expect("a list").iter().for_each(|it| list.insert(it).expect("it encodes"));
    match client.request(method, list).await {
        Ok(answer) => Ok(answer),
        Err(ClientError::Call(error)) => Err((error.code(), error.message().to_owned())),
        Err(other) => panic!("{method}: {other}"),
    }
}

/// Sends raw bytes; the answer is the hash.
pub async fn send(client: &HttpClient, raw: &Bytes) -> B256 {
    client.request("eth_sendRawTransaction", rpc_params![raw]).await.expect("the pool takes it")
}

/// Sends raw bytes to a node that may be down, or may know them already.
pub async fn send_any(client: &HttpClient, raw: &Bytes) {
    // Whether it took them shows in the chain.
    let _: Result<B256, _> = client.request("eth_sendRawTransaction", rpc_params![raw]).await;
}

/// Waits for a receipt.
pub async fn receipt(client: &HttpClient, hash: B256) -> Value {
    let mut found = Value::Null;
    wait_until(&format!("the receipt of {hash}"), async || {
        let answer: Result<Value, _> = client.request("eth_getTransactionReceipt", rpc_params![hash]).await;
        found = answer.unwrap_or(Value::Null);
        !found.is_null()
    })
    .await;
    found
}

/// Waits for a transaction's block as closely as a measurement needs.
pub async fn included(client: &HttpClient, hash: B256) {
    let missing = async || {
        let found: Result<Value, _> = client.request("eth_getTransactionReceipt", rpc_params![hash]).await;
        found.is_ok_and(|receipt| receipt.is_null())
    };
    while missing().await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The balance at the head.
pub async fn balance(client: &HttpClient, address: Address) -> U256 {
    client.request("eth_getBalance", rpc_params![address, "latest"]).await.expect("a balance")
}

/// Init code of a contract that counts its calls in slot 0, logs the count under topic 0x42 and returns it; called
/// with any data it reverts.
///
/// ```text
/// CALLDATASIZE ISZERO PUSH1 8 JUMPI  PUSH0 PUSH0 REVERT
/// JUMPDEST  PUSH0 SLOAD PUSH1 1 ADD DUP1 PUSH0 SSTORE  PUSH0 MSTORE
/// PUSH1 0x42 PUSH1 32 PUSH0 LOG1  PUSH1 32 PUSH0 RETURN
/// ```
#[must_use]
pub fn counter_code() -> Bytes {
    let runtime = hex::decode("36156008575f5ffd5b5f54600101805f555f52604260205fa160205ff3").expect("hex");
    let length = u8::try_from(runtime.len()).expect("a short contract");
    // PUSH1 length PUSH1 10 PUSH0 CODECOPY  PUSH1 length PUSH0 RETURN
    let init = [0x60, length, 0x60, 10, 0x5f, 0x39, 0x60, length, 0x5f, 0xf3];
    [&init[..], &runtime[..]].concat().into()
}
