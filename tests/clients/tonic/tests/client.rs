//! An application over gRPC: it deploys a contract, writes it in a stream of batches, and follows its logs.

use std::env;

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    network::{TxSignerSync, eip2718::Encodable2718},
    primitives::{Address, Bytes, TxKind, U256},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::{SolCall, SolConstructor, SolEvent},
};
use futures::{StreamExt, stream};
use quorate_client_tonic as v1;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use v1::{
    event_service_client::EventServiceClient, node_service_client::NodeServiceClient,
    state_service_client::StateServiceClient, submit_response::Outcome,
    transaction_service_client::TransactionServiceClient,
};

sol!(Counter, "../../../examples/contracts/build/Counter.json");

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `make test-clients` sets it"))
}

/// One account that counts its nonces itself.
struct Account {
    signer: PrivateKeySigner,
    chain_id: u64,
    nonce: u64,
}

impl Account {
    async fn load(channel: &Channel) -> Self {
        let signer: PrivateKeySigner = var("PRIVATE_KEY").parse().expect("a key");
        let request = v1::GetAccountRequest { address: signer.address().to_vec(), block: None };
        let account = StateServiceClient::new(channel.clone()).get_account(request).await;
        let nonce = account.expect("an account").into_inner().nonce;
        let info = NodeServiceClient::new(channel.clone()).get_info(v1::GetInfoRequest {}).await;
        let chain_id = info.expect("the node").into_inner().chain_id;
        assert_eq!(chain_id.to_string(), var("CHAIN_ID"));
        Self { signer, chain_id, nonce }
    }

    fn sign(&mut self, to: TxKind, input: impl Into<Bytes>) -> Vec<u8> {
        let mut transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: 1_000_000,
            max_fee_per_gas: 1_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to,
            input: input.into(),
            ..TxEip1559::default()
        };
        self.nonce += 1;
        let signature = self.signer.sign_transaction_sync(&mut transaction).expect("a signature");
        TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
    }

    fn set(&mut self, counter: Address, to: u64) -> Vec<u8> {
        self.sign(TxKind::Call(counter), Counter::setCall { to: U256::from(to) }.abi_encode())
    }
}

#[tokio::test]
async fn an_application_over_grpc() {
    let channel = Channel::from_shared(var("GRPC_URL")).expect("an address").connect().await.expect("a node");
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    assert_eq!(health.expect("an answer").into_inner().status(), ServingStatus::Serving);
    let mut account = Account::load(&channel).await;
    let mut transactions = TransactionServiceClient::new(channel.clone());

    let init =
        [&Counter::BYTECODE[..], &Counter::constructorCall { start: U256::from(5) }.abi_encode()].concat();
    let request = v1::SendAndWaitRequest { transaction: account.sign(TxKind::Create, init) };
    let deployed = transactions.send_and_wait(request).await.expect("a receipt").into_inner();
    let counter = Address::from_slice(deployed.contract_address.as_ref().expect("a contract"));
    assert_eq!(number(&channel, counter).await, U256::from(5));

    let raw: Vec<_> = (100..120).map(|to| account.set(counter, to)).collect();
    let batches: Vec<_> = raw.chunks(5).map(|it| v1::SubmitRequest { transactions: it.to_vec() }).collect();
    let answers = transactions.submit_and_wait(stream::iter(batches)).await.expect("a stream").into_inner();
    let answers: Vec<_> =
        answers.map(|it| it.expect("an answer").outcome.expect("an outcome")).collect().await;
    let succeeded = answers.iter().filter(|it| matches!(it, Outcome::Receipt(receipt) if receipt.success));
    assert_eq!((answers.len(), succeeded.count()), (40, 20), "a hash and a receipt for each");
    assert_eq!(number(&channel, counter).await, U256::from(119));

    let cursor = follow(&channel, counter, deployed.place.map(|it| it.height), vec![], &[5, 100, 101]).await;
    follow(&channel, counter, None, cursor, &[102, 103, 104]).await;

    let poor = v1::SendRequest { transaction: vec![1, 2, 3] };
    assert_eq!(transactions.send(poor).await.expect_err("no transaction").code(), Code::FailedPrecondition);
    a_revert_is_an_answer(&channel, counter).await;
}

async fn call(channel: &Channel, counter: Address, data: Vec<u8>) -> v1::call_response::Result {
    let request = v1::CallRequest { to: Some(counter.to_vec()), data, ..v1::CallRequest::default() };
    let answer = StateServiceClient::new(channel.clone()).call(request).await.expect("an answer");
    answer.into_inner().result.expect("a result")
}

async fn number(channel: &Channel, counter: Address) -> U256 {
    let result = call(channel, counter, Counter::numberCall {}.abi_encode()).await;
    let v1::call_response::Result::Output(output) = result else { panic!("{result:?}") };
    U256::from_be_slice(&output)
}

async fn a_revert_is_an_answer(channel: &Channel, counter: Address) {
    let result = call(channel, counter, Counter::setCall { to: U256::from(13) }.abi_encode()).await;
    let v1::call_response::Result::Revert(revert) = result else { panic!("{result:?}") };
    assert_eq!(revert.message, "execution reverted: 13 brings bad luck");
}

/// Reads logs until it has seen as many as are expected; the cursor of the last.
async fn follow(
    channel: &Channel,
    counter: Address,
    from_height: Option<u64>,
    cursor: Vec<u8>,
    expected: &[u64],
) -> Vec<u8> {
    let filter = v1::LogFilter { addresses: vec![counter.to_vec()], topics: vec![] };
    let request = v1::FollowLogsRequest { filter: Some(filter), from_height, cursor };
    let events = EventServiceClient::new(channel.clone()).follow_logs(request).await.expect("a stream");
    let events: Vec<_> =
        events.into_inner().take(expected.len()).map(|it| it.expect("an event")).collect().await;
    let seen = events.iter().map(|event| {
        let log = event.log.as_ref().expect("a log");
        Counter::Changed::abi_decode_data(&log.data).expect("the event").0.to::<u64>()
    });
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    events.last().expect("some").cursor.clone()
}
