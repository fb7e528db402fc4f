// An application with viem, over HTTP and WebSocket.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import {
  ContractFunctionRevertedError, createPublicClient, createWalletClient, defineChain, encodeFunctionData, http, numberToHex, parseGwei, webSocket,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const { RPC_URL, WS_URL, CHAIN_ID, PRIVATE_KEY, CONTRACTS } = process.env;
const { abi, bytecode } = JSON.parse(readFileSync(`${CONTRACTS}/Counter.json`));

const chain = defineChain({
  id: Number(CHAIN_ID),
  name: "Quorate",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [RPC_URL], webSocket: [WS_URL] } },
});
const account = privateKeyToAccount(PRIVATE_KEY);
// Blocks come every 50 ms here: viem asks anew instead of remembering the head.
const reader = createPublicClient({ chain, transport: http(undefined, { batch: true }), pollingInterval: 50, cacheTime: 0 });
const wallet = createWalletClient({ account, chain, transport: http() });
const pushed = createPublicClient({ chain, transport: webSocket(undefined, { keepAlive: false, reconnect: false }) });
after(async () => (await pushed.transport.getRpcClient()).close());

const mined = async (sending) => reader.waitForTransactionReceipt({ hash: await sending });
const deploy = (start) => mined(wallet.deployContract({ abi, bytecode, args: [start] }));
const set = (address, to) => mined(wallet.writeContract({ address, abi, functionName: "set", args: [to] }));
const read = (address, options) => reader.readContract({ address, abi, functionName: "number", ...options });
const fresh = () => privateKeyToAccount(generatePrivateKey());

/** The contract's own error in what a call threw. */
const reverted = (error) => error.walk((it) => it instanceof ContractFunctionRevertedError);

test("the network and its fees are known", async () => {
  assert.equal(await reader.getChainId(), Number(CHAIN_ID));
  const fees = await reader.estimateFeesPerGas();
  assert.ok(fees.maxFeePerGas > 0n && fees.maxPriorityFeePerGas > 0n);
  const history = await reader.getFeeHistory({ blockCount: 2, rewardPercentiles: [50] });
  assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1);
  await assert.rejects(reader.request({ method: "eth_noSuchMethod" }), { code: -32601 });
});

test("transfers of each type are in blocks", async () => {
  const bob = fresh().address;
  for (const type of ["legacy", "eip2930", "eip1559"]) {
    const receipt = await mined(wallet.sendTransaction({ to: bob, value: 3n, type }));
    assert.deepEqual([receipt.status, receipt.type], ["success", type]);
    const block = await reader.getBlock({ blockHash: receipt.blockHash, includeTransactions: true });
    assert.equal(block.transactions[receipt.transactionIndex].hash, receipt.transactionHash);
  }
  assert.equal(await reader.getBalance({ address: bob }), 9n);
  assert.equal(await reader.getBalance({ address: bob, blockTag: "earliest" }), 0n);
});

test("refusals are recognised", async () => {
  const { transactionHash } = await mined(wallet.sendTransaction({ to: account.address }));
  const { nonce } = await reader.getTransaction({ hash: transactionHash });
  const failed = (name) => (error) => Boolean(error.walk((it) => it.name === name));
  await assert.rejects(wallet.sendTransaction({ to: account.address, nonce, gas: 21_000n }), failed("NonceTooLowError"));
  const poor = createWalletClient({ account: fresh(), chain, transport: http() });
  await assert.rejects(poor.sendTransaction({ to: account.address, value: 1n }), failed("InsufficientFundsError"));
  await assert.rejects(reader.getTransaction({ hash: numberToHex(1, { size: 32 }) }), { name: "TransactionNotFoundError" });
});

test("a contract is deployed, written and read, now and then", async () => {
  const { contractAddress: address, blockNumber } = await deploy(5n);
  await set(address, 42n);
  assert.equal(await read(address), 42n);
  assert.equal(await read(address, { blockNumber }), 5n);
  assert.equal(await reader.getStorageAt({ address, slot: "0x0" }), numberToHex(42, { size: 32 }));
  const proof = await reader.getProof({ address, storageKeys: [numberToHex(0, { size: 32 })] });
  assert.equal(proof.storageProof[0].value, 42n);
});

test("a revert tells its reason, its error and its arguments", async () => {
  const { contractAddress: address } = await deploy(0n);
  const simulate = (to) => reader.simulateContract({ account, address, abi, functionName: "set", args: [to] });
  await assert.rejects(simulate(13n), (error) => reverted(error).reason === "13 brings bad luck");
  await assert.rejects(simulate(2_000_000n), (error) => {
    const { errorName, args } = reverted(error).data;
    assert.deepEqual([errorName, ...args], ["TooLarge", 2_000_000n, 1_000_000n]);
    return true;
  });
  await assert.rejects(wallet.writeContract({ address, abi, functionName: "set", args: [13n] }), (error) => reverted(error).reason === "13 brings bad luck");
});

test("calls are simulated in blocks that are not there (eth_simulateV1)", async () => {
  const { contractAddress: address } = await deploy(1n);
  const call = { to: address, abi, functionName: "increment" };
  const { results } = await reader.simulateCalls({ account, calls: [call, call, { ...call, functionName: "number" }] });
  assert.deepEqual(results.map((it) => it.status), ["success", "success", "success"]);
  assert.equal(results[2].result, 3n);
  const blocks = await reader.simulateBlocks({
    blocks: [{ calls: [{ ...call, from: account.address }] }, { calls: [{ ...call, functionName: "number" }] }],
  });
  assert.equal(blocks[1].calls[0].result, 2n);
  assert.equal(await read(address), 1n, "nothing has happened");
});

test("overrides, access lists and traces", async () => {
  const { contractAddress: address } = await deploy(1n);
  const slot = numberToHex(0, { size: 32 });
  const stateOverride = [{ address, stateDiff: [{ slot, value: numberToHex(9, { size: 32 }) }] }];
  assert.equal(await read(address, { stateOverride }), 9n);
  const { accessList } = await reader.createAccessList({ account, to: address, data: encodeFunctionData({ abi, functionName: "number" }) });
  assert.deepEqual(accessList, [{ address: address.toLowerCase(), storageKeys: [slot] }]);
  const { transactionHash } = await set(address, 2n);
  const trace = await reader.request({ method: "debug_traceTransaction", params: [transactionHash, { tracer: "callTracer", tracerConfig: { withLog: true } }] });
  assert.deepEqual([trace.type, trace.to, trace.logs.length], ["CALL", address.toLowerCase(), 1]);
});

test("events are found, polled for and pushed", async () => {
  const { contractAddress: address } = await deploy(1n);
  const watch = (client) => new Promise((resolve, onError) => {
    const stop = client.watchContractEvent({
      address, abi, eventName: "Changed", args: { by: account.address }, onError,
      onLogs: ([log]) => (stop(), resolve(log.args.number)),
    });
  });
  const polled = watch(reader);
  const live = watch(pushed);
  // What is asked later on a connection is answered later: the subscription is there.
  await pushed.getBlockNumber();
  await set(address, 8n);
  assert.equal(await live, 8n);
  assert.equal(await polled, 8n);
  const found = await reader.getContractEvents({ address, abi, eventName: "Changed", fromBlock: 0n });
  assert.deepEqual(found.map((it) => it.args.number), [1n, 8n]);
});

test("blocks are pushed in order", async () => {
  const numbers = [];
  const stop = pushed.watchBlocks({ onBlock: (block) => numbers.push(block.number) });
  while (numbers.length < 4) await mined(wallet.sendTransaction({ to: account.address, maxPriorityFeePerGas: parseGwei("1") }));
  stop();
  numbers.slice(1).forEach((number, i) => assert.equal(number, numbers[i] + 1n));
});

test("an account is delegated to a contract (EIP-7702)", async () => {
  const { contractAddress } = await deploy(0n);
  const delegate = fresh();
  const authorization = await delegate.signAuthorization({ address: contractAddress, chainId: chain.id, nonce: 0 });
  const data = encodeFunctionData({ abi, functionName: "set", args: [11n] });
  const receipt = await mined(wallet.sendTransaction({ to: delegate.address, data, authorizationList: [authorization] }));
  assert.deepEqual([receipt.status, receipt.type], ["success", "eip7702"]);
  assert.equal(await read(delegate.address), 11n);
  assert.equal((await reader.getCode({ address: delegate.address })).toLowerCase(), `0xef0100${contractAddress.slice(2).toLowerCase()}`);
});
