//! An application with alloy, over HTTP and WebSocket.

use std::env;

use Counter::{CounterErrors, CounterInstance};
use alloy::{
    consensus::BlockHeader,
    eips::eip7702::Authorization,
    network::{EthereumWallet, TransactionBuilder, TransactionBuilder7702},
    primitives::{Address, B256, U256},
    providers::{DynProvider, Provider, ProviderBuilder, WsConnect, ext::DebugApi},
    rpc::types::{
        Filter, TransactionReceipt, TransactionRequest,
        simulate::{SimBlock, SimulatePayload},
        trace::geth::{CallConfig, GethDebugTracingOptions},
    },
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::SolCall,
};
use futures::StreamExt;

sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    Counter,
    "../../../examples/contracts/build/Counter.json"
);

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `make test-clients` sets it"))
}

fn signer() -> PrivateKeySigner {
    var("PRIVATE_KEY").parse().expect("a key")
}

fn http() -> DynProvider {
    // Two providers share the account: neither may count its nonces alone.
    let wallet = EthereumWallet::from(signer());
    ProviderBuilder::new()
        .with_simple_nonce_management()
        .wallet(wallet)
        .connect_http(var("RPC_URL").parse().expect("an address"))
        .erased()
}

async fn websocket() -> DynProvider {
    let wallet = EthereumWallet::from(signer());
    let connection = WsConnect::new(var("WS_URL"));
    ProviderBuilder::new()
        .with_simple_nonce_management()
        .wallet(wallet)
        .connect_ws(connection)
        .await
        .expect("a connection")
        .erased()
}

async fn deploy(provider: &DynProvider, start: u64) -> CounterInstance<DynProvider> {
    Counter::deploy(provider.clone(), U256::from(start)).await.expect("it is deployed")
}

async fn set(counter: &CounterInstance<DynProvider>, to: u64) -> TransactionReceipt {
    let sent = counter.set(U256::from(to)).send().await.expect("it is sent");
    sent.get_receipt().await.expect("a receipt")
}

/// One after another: they share an account.
#[tokio::test]
async fn an_application_with_alloy() {
    let provider = http();
    the_chain_is_known(&provider).await;
    transfers_are_in_blocks(&provider).await;
    refusals_have_geths_words(&provider).await;
    a_contract_is_read_now_and_then(&provider).await;
    a_revert_tells_its_reason_and_its_error(&provider).await;
    logs_are_found_and_pushed().await;
    heads_are_pushed_in_order().await;
    blocks_are_simulated(&provider).await;
    an_account_is_delegated(&provider).await;
}

async fn the_chain_is_known(provider: &DynProvider) {
    assert_eq!(provider.get_chain_id().await.expect("an id").to_string(), var("CHAIN_ID"));
    assert_eq!(provider.get_net_version().await.expect("an id").to_string(), var("CHAIN_ID"));
    assert!(provider.estimate_eip1559_fees().await.expect("fees").max_fee_per_gas > 0);
    let block = provider.get_block_by_number(1.into()).full().await.expect("an answer").expect("a block");
    assert_eq!(block.header.inner.hash_slow(), block.header.hash, "alloy's hash of the header");
}

async fn transfers_are_in_blocks(provider: &DynProvider) {
    let bob = PrivateKeySigner::random().address();
    for (kind, price) in [(0, true), (2, false)] {
        let mut request = TransactionRequest::default().with_to(bob).with_value(U256::from(3));
        if price {
            request = request.with_gas_price(1_000_000_000);
        }
        let sent = provider.send_transaction(request).await.expect("it is sent");
        let receipt = sent.get_receipt().await.expect("a receipt");
        assert_eq!((receipt.status(), receipt.transaction_type() as u8), (true, kind));
        let receipts = provider.get_block_receipts(receipt.block_number.expect("a block").into()).await;
        assert!(receipts.expect("an answer").expect("receipts").contains(&receipt));
    }
    assert_eq!(provider.get_balance(bob).await.expect("a balance"), U256::from(6));
    assert_eq!(provider.get_balance(bob).earliest().await.expect("a balance"), U256::ZERO);
}

async fn refusals_have_geths_words(provider: &DynProvider) {
    let request = TransactionRequest::default().with_to(Address::ZERO).with_nonce(0);
    let refused = provider.send_transaction(request).await.expect_err("the nonce was used");
    let error = refused.as_error_resp().expect("the node's answer");
    assert!(error.message.contains("nonce too low"), "{error}");
    assert_eq!(error.code, -32000);
}

async fn a_contract_is_read_now_and_then(provider: &DynProvider) {
    let counter = deploy(provider, 5).await;
    let written = set(&counter, 42).await;
    let before = written.block_number.expect("a block") - 1;
    assert_eq!(counter.number().call().await.expect("a number"), U256::from(42));
    assert_eq!(counter.number().block(before.into()).call().await.expect("a number"), U256::from(5));
    let proof = provider.get_proof(*counter.address(), vec![B256::ZERO]).await.expect("a proof");
    let header = provider.get_block_by_number(before.into()).await.expect("an answer").expect("a block");
    assert_ne!(header.header.state_root(), B256::ZERO);
    assert_eq!(proof.storage_proof[0].value, U256::from(42));
    let options = GethDebugTracingOptions::call_tracer(CallConfig::default().with_log());
    let trace = provider.debug_trace_transaction(written.transaction_hash, options).await.expect("a trace");
    let frame = trace.try_into_call_frame().expect("a call");
    assert_eq!((frame.to, frame.logs.len()), (Some(*counter.address()), 1));
}

async fn a_revert_tells_its_reason_and_its_error(provider: &DynProvider) {
    let counter = deploy(provider, 0).await;
    let unlucky = counter.set(U256::from(13)).send().await.expect_err("it reverts").to_string();
    assert!(unlucky.contains("execution reverted: 13 brings bad luck"), "{unlucky}");
    let large = counter.set(U256::from(2_000_000)).call().await.expect_err("it reverts");
    let Some(CounterErrors::TooLarge(error)) = large.as_decoded_interface_error() else { panic!("{large}") };
    assert_eq!((error.number, error.limit), (U256::from(2_000_000), U256::from(1_000_000)));
}

async fn logs_are_found_and_pushed() {
    let provider = websocket().await;
    let counter = deploy(&provider, 1).await;
    let filter = Filter::new().address(*counter.address());
    let mut pushed = provider.subscribe_logs(&filter).await.expect("a subscription").into_stream();
    let written = set(&counter, 8).await;
    let log = pushed.next().await.expect("a log");
    assert_eq!(log.transaction_hash, Some(written.transaction_hash));
    let found = counter.Changed_filter().from_block(0).query().await.expect("logs");
    let numbers: Vec<_> = found.iter().map(|(event, _)| event.number.to::<u64>()).collect();
    assert_eq!(numbers, [1, 8]);
}

async fn heads_are_pushed_in_order() {
    let provider = websocket().await;
    let counter = deploy(&provider, 1).await;
    let heads = provider.subscribe_blocks().await.expect("a subscription").into_stream();
    let writer = async {
        for number in 0..4 {
            set(&counter, number).await;
        }
    };
    let (heads, ()) = tokio::join!(heads.take(4).collect::<Vec<_>>(), writer);
    for pair in heads.windows(2) {
        assert_eq!(pair[1].parent_hash, pair[0].hash);
    }
}

async fn blocks_are_simulated(provider: &DynProvider) {
    let counter = deploy(provider, 1).await;
    let call = |data: Vec<u8>| {
        TransactionRequest::default()
            .with_from(signer().address())
            .with_to(*counter.address())
            .with_input(data)
    };
    let increment = call(Counter::incrementCall {}.abi_encode());
    let block = SimBlock::default().extend_calls([increment, call(Counter::numberCall {}.abi_encode())]);
    let blocks = provider.simulate(&SimulatePayload::default().extend(block)).await.expect("an answer");
    let calls = &blocks[0].calls;
    assert!(calls.iter().all(|it| it.status), "{calls:?}");
    assert_eq!(U256::from_be_slice(&calls[1].return_data), U256::from(2));
    assert_eq!(counter.number().call().await.expect("a number"), U256::from(1), "nothing has happened");
}

async fn an_account_is_delegated(provider: &DynProvider) {
    let counter = deploy(provider, 0).await;
    let delegate = PrivateKeySigner::random();
    let chain_id = U256::from(provider.get_chain_id().await.expect("an id"));
    let authorization = Authorization { chain_id, address: *counter.address(), nonce: 0 };
    let signature = delegate.sign_hash_sync(&authorization.signature_hash()).expect("a signature");
    let request = TransactionRequest::default()
        .with_to(delegate.address())
        .with_authorization_list(vec![authorization.into_signed(signature)])
        .with_input(Counter::setCall { to: U256::from(11) }.abi_encode());
    let receipt = provider.send_transaction(request).await.expect("it is sent").get_receipt().await;
    assert!(receipt.expect("a receipt").status());
    let delegated = Counter::new(delegate.address(), provider.clone());
    assert_eq!(delegated.number().call().await.expect("a number"), U256::from(11));
}
