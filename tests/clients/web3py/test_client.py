"""An application with web3.py, over HTTP and, asynchronously, over WebSocket."""

import json
import os
from pathlib import Path

import pytest
from eth_account import Account
from web3 import AsyncWeb3, Web3, WebSocketProvider
from web3.exceptions import ContractCustomError, ContractLogicError, TransactionNotFound, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder

COUNTER = json.loads(Path(os.environ["CONTRACTS"], "Counter.json").read_text())
ACCOUNT = Account.from_key(os.environ["PRIVATE_KEY"])
CHAIN_ID = int(os.environ["CHAIN_ID"])


@pytest.fixture
def w3():
    w3 = Web3(Web3.HTTPProvider(os.environ["RPC_URL"]))
    w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(ACCOUNT), layer=0)
    w3.eth.default_account = ACCOUNT.address
    return w3


def mined(w3, sent):
    return w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)


def deploy(w3, start):
    factory = w3.eth.contract(abi=COUNTER["abi"], bytecode=COUNTER["bytecode"])
    receipt = mined(w3, factory.constructor(start).transact())
    return w3.eth.contract(receipt.contractAddress, abi=COUNTER["abi"]), receipt


def test_the_network_and_its_fees_are_known(w3):
    assert w3.is_connected()
    assert w3.eth.chain_id == CHAIN_ID
    assert w3.net.version == str(CHAIN_ID)
    assert w3.client_version.lower().startswith("quorate/")
    assert w3.eth.gas_price > 0 and w3.eth.max_priority_fee > 0
    history = w3.eth.fee_history(2, "latest", [50])
    assert len(history.baseFeePerGas) == len(history.gasUsedRatio) + 1
    assert w3.eth.syncing is False


@pytest.mark.parametrize("fees", [{"gasPrice": 10**9}, {"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 10**9}])
def test_a_transfer_is_in_a_block(w3, fees):
    bob = Account.create().address
    receipt = mined(w3, w3.eth.send_transaction({"to": bob, "value": 3, **fees}))
    assert receipt.status == 1
    assert w3.eth.get_balance(bob) == 3
    assert w3.eth.get_balance(bob, receipt.blockNumber - 1) == 0
    block = w3.eth.get_block(receipt.blockHash, full_transactions=True)
    assert block.transactions[receipt.transactionIndex].hash == receipt.transactionHash
    assert w3.eth.get_transaction_by_block(block.number, receipt.transactionIndex)["from"] == ACCOUNT.address
    assert w3.eth.get_block_receipts(block.number)[receipt.transactionIndex] == receipt


def test_refusals_have_geths_words(w3):
    used = w3.eth.get_transaction_count(ACCOUNT.address) - 1
    transfer = {"to": ACCOUNT.address, "gas": 21_000, "gasPrice": 10**9, "chainId": CHAIN_ID}
    if used < 0:
        mined(w3, w3.eth.send_transaction(transfer))
        used = 0
    with pytest.raises(Web3RPCError, match="nonce too low"):
        w3.eth.send_raw_transaction(ACCOUNT.sign_transaction({**transfer, "nonce": used}).raw_transaction)
    poor = Account.create().sign_transaction({**transfer, "nonce": 0, "value": 1})
    with pytest.raises(Web3RPCError, match="insufficient funds"):
        w3.eth.send_raw_transaction(poor.raw_transaction)
    with pytest.raises(TransactionNotFound):
        w3.eth.get_transaction("0x" + "01" * 32)


def test_a_contract_is_deployed_written_and_read_now_and_then(w3):
    counter, deployed = deploy(w3, 5)
    mined(w3, counter.functions.set(42).transact())
    assert counter.functions.number().call() == 42
    assert counter.functions.number().call(block_identifier=deployed.blockNumber) == 5
    assert counter.functions.number().call({}, state_override={counter.address: {"stateDiff": {"0x" + "00" * 32: "0x" + "00" * 31 + "09"}}}) == 9
    assert int.from_bytes(w3.eth.get_storage_at(counter.address, 0)) == 42
    proof = w3.eth.get_proof(counter.address, [0])
    assert int.from_bytes(proof.storageProof[0].value) == 42
    assert w3.eth.get_code(counter.address, deployed.blockNumber - 1) == b""
    assert counter.functions.increment().estimate_gas() > 21_000


def test_a_revert_tells_its_reason_and_its_error(w3):
    counter, _ = deploy(w3, 0)
    with pytest.raises(ContractLogicError, match="execution reverted: 13 brings bad luck"):
        counter.functions.set(13).call()
    with pytest.raises(ContractLogicError, match="13 brings bad luck"):
        counter.functions.set(13).transact()
    with pytest.raises(ContractCustomError) as failure:
        counter.functions.set(2_000_000).call()
    error = w3.codec.decode(["uint256", "uint256"], bytes.fromhex(failure.value.data[10:]))
    assert error == (2_000_000, 1_000_000)


def test_logs_are_found_and_filtered(w3):
    counter, deployed = deploy(w3, 1)
    changes = counter.events.Changed.create_filter(from_block="latest", argument_filters={"by": ACCOUNT.address})
    blocks = w3.eth.filter("latest")
    mined(w3, counter.functions.set(8).transact())
    assert [it.args.number for it in changes.get_new_entries()] == [8]
    assert changes.get_new_entries() == []
    assert len(blocks.get_new_entries()) > 0
    found = counter.events.Changed().get_logs(from_block=deployed.blockNumber)
    assert [(it.args.by, it.args.number) for it in found] == [(ACCOUNT.address, 1), (ACCOUNT.address, 8)]
    assert w3.eth.get_logs({"address": counter.address, "fromBlock": w3.eth.block_number + 1}) == []


def test_a_batch_is_answered_in_order(w3):
    with w3.batch_requests() as batch:
        for height in range(3):
            batch.add(w3.eth.get_block(height))
        batch.add(w3.eth.get_balance(ACCOUNT.address))
        *blocks, balance = batch.execute()
    assert [block.number for block in blocks] == [0, 1, 2]
    assert blocks[2].parentHash == blocks[1].hash
    assert balance > 0


def test_a_transaction_is_traced(w3):
    counter, _ = deploy(w3, 1)
    written = mined(w3, counter.functions.set(2).transact())
    trace = w3.manager.request_blocking("debug_traceTransaction", [written.transactionHash, {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}])
    slot = "0x" + "00" * 32
    assert int(trace.post[counter.address.lower()].storage[slot], 16) == 2
    assert int(trace.pre[counter.address.lower()].storage[slot], 16) == 1


async def test_heads_and_logs_are_pushed(w3):
    counter, _ = deploy(w3, 1)
    async with AsyncWeb3(WebSocketProvider(os.environ["WS_URL"])) as live:
        heads = await live.eth.subscribe("newHeads")
        logs = await live.eth.subscribe("logs", {"address": counter.address})
        sent = [counter.functions.set(number).transact() for number in (2, 3)]
        numbers, found = [], []
        async for message in live.socket.process_subscriptions():
            if message["subscription"] == heads:
                numbers.append(message["result"]["number"])
            else:
                assert message["subscription"] == logs
                found.append(message["result"]["transactionHash"])
            if len(found) == 2 and len(numbers) > 0:
                break
        assert found == sent
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
