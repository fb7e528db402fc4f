//! What a gRPC client sees, on the port of JSON-RPC.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use quorate_tests::{
    cluster::{Cluster, wait_until},
    wallet::{Wallet, balance, counter_code, receipt, send},
};
use quorate_types::{Address, B256, Bytes, Height, U256, keccak256};
use serde_json::Value;
use tonic::{Code, Status, Streaming, transport::Channel};
use tonic_health::{ServingStatus, pb::health_client::HealthClient};
use tonic_types::StatusExt as _;

use jsonrpsee::{core::client::ClientT as _, rpc_params};
use v1::{
    BlockId, SubmitRequest, SubmitResponse, block_id::Block, chain_service_client::ChainServiceClient,
    event_service_client::EventServiceClient, node_service_client::NodeServiceClient,
    state_service_client::StateServiceClient, submit_response::Outcome,
    transaction_service_client::TransactionServiceClient,
};

#[allow(clippy::all, clippy::too_many_lines, reason = "generated")]
mod v1 {
    tonic::include_proto!("quorate.v1");
}

/// A message that no node takes by default.
const OVERSIZED: usize = 6 << 20;

async fn connect(cluster: &Cluster, node: usize) -> Channel {
    let endpoint = Channel::from_shared(cluster.url(node)).expect("an address");
    endpoint.connect().await.expect("the port of JSON-RPC speaks HTTP/2")
}

fn at(height: u64) -> Option<BlockId> {
    Some(BlockId { block: Some(Block::Height(height)) })
}

/// The bytes that JSON-RPC writes as hex.
fn hex(value: &Value) -> Vec<u8> {
    serde_json::from_value::<Bytes>(value.clone()).expect("hex").to_vec()
}

fn quantity(value: &Value) -> u64 {
    serde_json::from_value::<U256>(value.clone()).expect("a quantity").to()
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String, String) {
    let status = answer.expect_err("it is refused");
    let reason = status.get_details_error_info().map(|it| it.reason).unwrap_or_default();
    (status.code(), reason, status.message().to_owned())
}

/// Sends one transaction; the receipt when it is in a block.
async fn included(channel: &Channel, raw: &Bytes) -> v1::Receipt {
    let request = v1::SendAndWaitRequest { transaction: raw.to_vec() };
    let mut client = TransactionServiceClient::new(channel.clone());
    client.send_and_wait(request).await.expect("a receipt").into_inner()
}

/// One validator with a contract that logs a number each time it is called.
struct Counter {
    _cluster: Cluster,
    channel: Channel,
    alice: Wallet,
    contract: Address,
}

impl Counter {
    async fn deployed() -> Self {
        let cluster = Cluster::start(1);
        let channel = connect(&cluster, 0).await;
        let mut alice = Wallet::development(1);
        let deployed = included(&channel, &alice.deploy(counter_code())).await;
        let contract = Address::from_slice(&deployed.contract_address.expect("a contract"));
        Self { _cluster: cluster, channel, alice, contract }
    }

    /// Calls the contract; its receipt.
    async fn counts(&mut self) -> v1::Receipt {
        included(&self.channel, &self.alice.call(self.contract, [].into())).await
    }

    fn filter(&self) -> Option<v1::LogFilter> {
        let topics = vec![v1::TopicFilter { any_of: vec![B256::with_last_byte(0x42).to_vec()] }];
        Some(v1::LogFilter { addresses: vec![self.contract.to_vec()], topics })
    }

    async fn follow(&self, from_height: Option<u64>, cursor: Vec<u8>) -> Streaming<v1::LogEvent> {
        let request = v1::FollowLogsRequest { filter: self.filter(), from_height, cursor };
        let mut client = EventServiceClient::new(self.channel.clone());
        client.follow_logs(request).await.expect("a stream").into_inner()
    }
}

async fn next<T>(stream: &mut Streaming<T>) -> T {
    let message = tokio::time::timeout(Duration::from_secs(60), stream.message());
    message.await.expect("in time").expect("no end").expect("a message")
}

/// Given a transfer, when it is read over gRPC, then node, block, transaction, receipt, certificate and balance are those of JSON-RPC.
#[tokio::test(flavor = "multi_thread")]
async fn grpc_and_json_rpc_show_the_same_chain() {
    let cluster = Cluster::start(4);
    let (json, channel) = (cluster.client(0), connect(&cluster, 0).await);
    let (mut alice, bob) = (Wallet::development(1), Wallet::fresh(1).address());
    let raw = alice.transfer(bob, 12_345);
    let seen = receipt(&json, send(&json, &raw).await).await;
    let height = quantity(&seen["blockNumber"]);

    let mut node = NodeServiceClient::new(channel.clone());
    let info = node.get_info(v1::GetInfoRequest {}).await.expect("info").into_inner();
    assert_eq!(info.chain_id, 20200);
    assert!(info.client_version.starts_with("Quorate/v"), "{}", info.client_version);
    assert_eq!(info.genesis_hash, hex(&cluster.hash_at(0, 0).await.expect("genesis").into()));
    assert!(info.head_height >= height);
    let status = node.get_status(v1::GetStatusRequest {}).await.expect("a status").into_inner();
    assert!(status.ready && status.quorum && status.syncing.is_none(), "{status:?}");
    assert_eq!(status.peers.len(), 4, "three validators and the observer");
    let consensus = node.get_consensus(v1::GetConsensusRequest {}).await.expect("a state").into_inner();
    assert_eq!((consensus.quorum_weight, consensus.total_weight), (3, 4));

    let mut chain = ChainServiceClient::new(channel.clone());
    let request = v1::GetBlockRequest { block: at(height), full: true };
    let block = chain.get_block(request).await.expect("a block").into_inner();
    let header = block.header.expect("a header");
    assert_eq!(header.hash, hex(&seen["blockHash"]));
    assert_eq!(header.hash, keccak256(&header.rlp).to_vec(), "anyone can check it");
    assert_eq!(block.transaction_hashes, [hex(&seen["transactionHash"])]);
    assert_eq!(block.transactions[0].raw, raw.to_vec());
    assert_eq!(block.transactions[0].value, U256::from(12_345).to_be_bytes::<32>());
    let by_hash = BlockId { block: Some(Block::Hash(header.hash.clone())) };
    let found = chain.get_header(v1::GetHeaderRequest { block: Some(by_hash) }).await.expect("a header");
    assert_eq!(found.into_inner(), header);
    let request = v1::GetReceiptRequest { transaction_hash: hex(&seen["transactionHash"]) };
    let receipt = chain.get_receipt(request).await.expect("a receipt").into_inner();
    assert_eq!((receipt.success, receipt.gas_used), (true, 21_000));
    let receipts = chain.get_block_receipts(v1::GetBlockReceiptsRequest { block: at(height) }).await;
    assert_eq!(receipts.expect("receipts").into_inner().receipts, [receipt]);

    let certificate = chain.get_certificate(v1::GetCertificateRequest { block: at(height) }).await;
    let certificate = certificate.expect("a certificate").into_inner();
    let encoded =
        quorate_proto::decode_certificate(certificate.encoded.into()).expect("as nodes exchange it");
    assert_eq!((encoded.height(), certificate.block_hash), (Height(height), header.hash));
    assert!(certificate.signers.len() >= 3 && certificate.signers.len() == certificate.signatures.len());
    let set = chain.get_validators(v1::GetValidatorsRequest { block: at(height) }).await.expect("a set");
    assert_eq!((set.get_ref().height, set.get_ref().hash.clone()), (height + 1, header.validators_hash));

    let mut state = StateServiceClient::new(channel);
    let of = |block| v1::GetAccountRequest { address: bob.to_vec(), block };
    let account = state.get_account(of(None)).await.expect("an account").into_inner();
    assert_eq!(U256::from_be_slice(&account.balance), balance(&json, bob).await);
    let before = state.get_account(of(at(height - 1))).await.expect("an account").into_inner();
    assert_eq!(U256::from_be_slice(&before.balance), U256::ZERO);
}

/// Given a contract, when it is called and proven over gRPC, then values, estimates and proofs are there; and a call that reverts is an
/// answer with its data.
#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_read_called_and_proven() {
    let mut counter = Counter::deployed().await;
    counter.counts().await;
    let (address, slots) = (counter.contract.to_vec(), vec![vec![]]);
    let mut state = StateServiceClient::new(counter.channel.clone());
    let call =
        |data| v1::CallRequest { to: Some(counter.contract.to_vec()), data, ..v1::CallRequest::default() };

    let returned = state.call(call(vec![])).await.expect("a call").into_inner();
    let output = v1::call_response::Result::Output(B256::with_last_byte(2).to_vec());
    assert_eq!(returned.result, Some(output));
    let reverted = state.call(call(vec![1])).await.expect("an answer").into_inner();
    let expected = v1::Revert { message: "execution reverted".to_owned(), data: vec![] };
    assert_eq!(reverted.result, Some(v1::call_response::Result::Revert(expected)));
    let request = v1::EstimateGasRequest { call: Some(call(vec![])) };
    let estimate = state.estimate_gas(request).await.expect("an estimate").into_inner();
    let Some(v1::estimate_gas_response::Result::Gas(gas)) = estimate.result else { panic!("{estimate:?}") };
    assert!((21_000..100_000).contains(&gas), "{gas}");

    let request = v1::GetStorageRequest { address: address.clone(), slots: slots.clone(), block: None };
    let values = state.get_storage(request).await.expect("values").into_inner().values;
    assert_eq!(values, [B256::with_last_byte(1).to_vec()]);
    let request = v1::GetCodeRequest { address: address.clone(), block: None };
    let code = state.get_code(request).await.expect("code").into_inner().code;
    let proof = state.get_proof(v1::GetProofRequest { address, slots, block: None }).await;
    let proof = proof.expect("a proof").into_inner();
    assert_eq!(proof.code_hash, keccak256(&code).to_vec());
    assert_eq!(proof.slots[0].value, values[0]);
    let request = v1::GetHeaderRequest { block: at(proof.height) };
    let header =
        ChainServiceClient::new(counter.channel.clone()).get_header(request).await.expect("a header");
    assert_eq!(keccak256(&proof.account_proof[0]).to_vec(), header.into_inner().state_root);
}

/// Splits what a stream of transactions answers into hashes, refusals and receipts by index.
async fn outcomes(
    answers: Streaming<SubmitResponse>,
) -> (Vec<u64>, Vec<(u64, String)>, Vec<(u64, v1::Receipt)>) {
    let (mut taken, mut refused, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
    let mut answers = answers;
    while let Some(SubmitResponse { index, outcome }) = answers.message().await.expect("no bad end") {
        match outcome.expect("an outcome") {
            Outcome::Hash(_) => taken.push(index),
            Outcome::Refused(reason) => refused.push((index, reason)),
            Outcome::Receipt(receipt) => {
                assert!(taken.contains(&index), "first the news that it was taken");
                receipts.push((index, receipt));
            }
        }
    }
    (taken, refused, receipts)
}

/// Given batches of transfers in one stream, a bad one and one twice among them, then each is taken or refused under its index, and each
/// that was taken gets its receipt, once.
#[tokio::test(flavor = "multi_thread")]
async fn streamed_batches_are_answered_and_included() {
    let cluster = Cluster::start(4);
    let (json, sink) = (cluster.client(1), Wallet::fresh(9).address());
    let mut wallets: Vec<_> = (0..5).map(Wallet::development).collect();
    let mut raw: Vec<_> = (0..20)
        .flat_map(|_| wallets.iter_mut().map(|it| it.transfer(sink, 1).to_vec()).collect::<Vec<_>>())
        .collect();
    raw.insert(7, Wallet::fresh(8).transfer(sink, 1).to_vec());
    raw.insert(30, raw[29].clone());
    let sent: Vec<_> = raw.iter().map(keccak256).collect();
    let batches: Vec<_> = raw.chunks(25).map(|it| SubmitRequest { transactions: it.to_vec() }).collect();
    let mut client = TransactionServiceClient::new(connect(&cluster, 1).await);

    let answers = client.submit_and_wait(stream::iter(batches)).await.expect("a stream").into_inner();
    let (taken, refused, mut receipts) =
        tokio::time::timeout(Duration::from_secs(120), outcomes(answers)).await.expect("it ends");

    assert_eq!((taken.len(), refused.len()), (100, 2), "{refused:?}");
    assert!(
        refused.iter().any(|(index, why)| *index == 7 && why.contains("insufficient funds")),
        "{refused:?}"
    );
    assert!(refused.iter().any(|(index, why)| *index == 30 && why == "already known"), "{refused:?}");
    receipts.sort_by_key(|(index, _)| *index);
    let included: Vec<_> = receipts.iter().map(|(index, _)| *index).collect();
    assert_eq!(included, taken);
    for (index, receipt) in &receipts {
        let index = usize::try_from(*index).expect("small");
        assert_eq!((receipt.success, &receipt.transaction_hash), (true, &sent[index].to_vec()));
    }
    assert_eq!(balance(&json, sink).await, U256::from(taken.len()));

    let more: Vec<_> = (0..10).map(|_| wallets[0].transfer(sink, 1).to_vec()).collect();
    let answers = client.submit(stream::iter([SubmitRequest { transactions: more }])).await;
    let (taken, refused, receipts) = outcomes(answers.expect("a stream").into_inner()).await;
    assert_eq!(
        (taken, refused.len(), receipts.len()),
        ((0..10).collect(), 0, 0),
        "no receipts where none are waited for"
    );
}

/// Given a client that sends and waits, then it has the receipt; the same transaction again gives the same receipt; and the state of its
/// block is readable then.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_waited_for() {
    let cluster = Cluster::start(4);
    let channel = connect(&cluster, 2).await;
    let (mut alice, bob) = (Wallet::development(2), Wallet::fresh(2).address());
    let raw = alice.transfer(bob, 7);

    let first = included(&channel, &raw).await;

    assert_eq!(balance(&cluster.client(2), bob).await, U256::from(7));
    assert_eq!(included(&channel, &raw).await, first);
    let mut client = TransactionServiceClient::new(channel);
    let poor = v1::SendRequest { transaction: Wallet::fresh(3).transfer(bob, 1).to_vec() };
    let (code, reason, message) = refused(client.send(poor).await);
    assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, "REFUSED"));
    assert!(message.contains("insufficient funds"), "{message}");
    let nonsense = v1::SendAndWaitRequest { transaction: vec![1, 2, 3] };
    assert_eq!(refused(client.send_and_wait(nonsense).await).0, Code::FailedPrecondition);

    // Behind a gap: no block takes it.
    alice.transfer(bob, 1);
    let waits = v1::SendAndWaitRequest { transaction: alice.transfer(bob, 1).to_vec() };
    let mut request = tonic::Request::new(waits);
    request.metadata_mut().insert("grpc-timeout", "500m".parse().expect("a value"));
    let late = client.send_and_wait(request).await.expect_err("no block has it").code();
    assert!(
        matches!(late, Code::DeadlineExceeded | Code::Cancelled),
        "{late}: tonic's client has a clock of its own"
    );
}

/// Given a client that follows logs and is cut off, when it comes back with the cursor of the last that it saw, then it gets all that came
/// meanwhile, and what comes now, each once; and so with headers and their heights.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_on_behind_a_cursor() {
    let mut counter = Counter::deployed().await;
    let (first, second) = (counter.counts().await, counter.counts().await);
    let mut events = counter.follow(Some(0), vec![]).await;
    let seen = next(&mut events).await;
    assert_eq!(seen.log.as_ref(), first.logs.first(), "what was before it came is replayed");
    drop(events);

    let third = counter.counts().await;
    let mut events = counter.follow(None, seen.cursor.clone()).await;

    assert_eq!(next(&mut events).await.log.as_ref(), second.logs.first());
    assert_eq!(next(&mut events).await.log.as_ref(), third.logs.first());
    let live = counter.counts().await;
    assert_eq!(next(&mut events).await.log.as_ref(), live.logs.first());

    let mut client = ChainServiceClient::new(counter.channel.clone());
    let request = v1::GetLogsRequest { filter: counter.filter(), from_height: Some(0), to_height: None };
    let found: Vec<_> = client.get_logs(request).await.expect("a stream").into_inner().collect().await;
    let found: Vec<_> = found.into_iter().map(|it| it.expect("a log")).collect();
    assert_eq!(found, [&first, &second, &third, &live].map(|it| it.logs[0].clone()));

    let from_height = second.place.as_ref().map(|it| it.height);
    let mut events = EventServiceClient::new(counter.channel.clone());
    let request = v1::FollowHeadersRequest { from_height };
    let mut headers = events.follow_headers(request).await.expect("a stream").into_inner();
    for receipt in [second, third, live] {
        assert_eq!(next(&mut headers).await.hash, receipt.place.expect("a place").block_hash);
    }
    let mut pool = events.follow_pool(v1::FollowPoolRequest {}).await.expect("a stream").into_inner();
    let last = counter.counts().await;
    assert_eq!(next(&mut headers).await.hash, last.place.expect("a place").block_hash);
    assert_eq!(next(&mut pool).await.hash, last.transaction_hash);
}

/// Given requests that cannot be answered, then each gets the code of its kind and a reason, and the node goes on.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_is_wrong() {
    let cluster = Cluster::start(1);
    let channel = connect(&cluster, 0).await;
    let mut chain = ChainServiceClient::new(channel.clone());
    let unknown = vec![7; 32];
    let is = |answer: (Code, String, String), code, reason: &str, words: &str| {
        assert_eq!((answer.0, answer.1.as_str()), (code, reason), "{}", answer.2);
        assert!(answer.2.contains(words), "{}", answer.2);
    };

    let request = v1::GetTransactionRequest { hash: unknown.clone() };
    is(refused(chain.get_transaction(request).await), Code::NotFound, "NOT_FOUND", "no transaction");
    let request = v1::GetReceiptRequest { transaction_hash: unknown.clone() };
    is(refused(chain.get_receipt(request).await), Code::NotFound, "NOT_FOUND", "no block");
    let by_hash = BlockId { block: Some(Block::Hash(unknown)) };
    let request = v1::GetBlockRequest { block: Some(by_hash), full: false };
    is(refused(chain.get_block(request).await), Code::NotFound, "NOT_FOUND", "no such block");
    let request = v1::GetHeaderRequest { block: at(1 << 40) };
    is(refused(chain.get_header(request).await), Code::NotFound, "NOT_FOUND", "not decided yet");
    let request = v1::GetReceiptRequest { transaction_hash: vec![7; 31] };
    is(refused(chain.get_receipt(request).await), Code::InvalidArgument, "INVALID", "32 bytes, not 31");
    let request = v1::GetLogsRequest { from_height: Some(2), to_height: Some(1), filter: None };
    is(refused(chain.get_logs(request).await), Code::InvalidArgument, "INVALID", "ends before it begins");
    let request = v1::FollowLogsRequest { cursor: vec![1], ..v1::FollowLogsRequest::default() };
    let mut events = EventServiceClient::new(channel.clone());
    is(refused(events.follow_logs(request).await), Code::InvalidArgument, "INVALID", "cursor");

    let mut client = TransactionServiceClient::new(channel.clone());
    let (code, _, message) = refused(client.send(v1::SendRequest { transaction: vec![0; OVERSIZED] }).await);
    assert_eq!(code, Code::OutOfRange, "{message}");
    assert!(message.contains("the limit is: 5242880 bytes"), "{message}");
    let many = SubmitRequest { transactions: vec![vec![0]; 1001] };
    let mut answers = client.submit(stream::iter([many])).await.expect("a stream").into_inner();
    is(refused(answers.message().await), Code::InvalidArgument, "INVALID", "1001 transactions in one batch");
    included(&channel, &Wallet::development(0).transfer(Address::ZERO, 1)).await;
}

/// Given an observer, then it is SERVING as long as it has a validator; and who watches its health is told when it has none.
#[tokio::test(flavor = "multi_thread")]
async fn health_follows_the_node() {
    let cluster = Cluster::start(1);
    let mut health = HealthClient::new(connect(&cluster, 1).await);
    let of = |service: &str| tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
    wait_until("the observer serves", async || {
        let answer = health.check(of("")).await.expect("an answer").into_inner();
        answer.status == ServingStatus::Serving as i32
    })
    .await;
    let mut watched = health.watch(of("quorate.v1.ChainService")).await.expect("a stream").into_inner();
    assert_eq!(next(&mut watched).await.status, ServingStatus::Serving as i32);
    assert_eq!(refused(health.check(of("quorate.v1.Nothing")).await).0, Code::NotFound);

    cluster.kill(0);

    assert_eq!(next(&mut watched).await.status, ServingStatus::NotServing as i32);
}

/// Given a client that knows nothing, then it finds the services by reflection, in both versions; and JSON-RPC is on the same port.
#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_the_services() {
    let cluster = Cluster::start(1);
    let channel = connect(&cluster, 0).await;
    macro_rules! listed {
        ($version:ident) => {{
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
            };
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let mut client = ServerReflectionClient::new(channel.clone());
            let answers = client.server_reflection_info(stream::iter([request])).await.expect("a stream");
            let answer = next(&mut answers.into_inner()).await.message_response;
            let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
            list.service.into_iter().map(|it| it.name).collect::<Vec<_>>()
        }};
    }
    for services in [listed!(v1), listed!(v1alpha)] {
        for name in ["Node", "Chain", "State", "Transaction", "Event"] {
            assert!(services.contains(&format!("quorate.v1.{name}Service")), "{services:?}");
        }
        assert!(services.contains(&"grpc.health.v1.Health".to_owned()), "{services:?}");
    }
    let id: String = cluster.client(0).request("eth_chainId", rpc_params![]).await.expect("JSON-RPC");
    assert_eq!(id, "0x4ee8");
}
