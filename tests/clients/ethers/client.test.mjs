// An application with ethers, over HTTP and WebSocket.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { ethers } from "ethers";

const { RPC_URL, WS_URL, CHAIN_ID, PRIVATE_KEY, CONTRACTS } = process.env;
const { abi, bytecode } = JSON.parse(readFileSync(`${CONTRACTS}/Counter.json`));

// Blocks come every 50 ms here: ethers asks anew instead of remembering answers for a quarter of a second.
const provider = new ethers.JsonRpcProvider(RPC_URL, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const websocket = new ethers.WebSocketProvider(WS_URL);
const wallet = new ethers.Wallet(PRIVATE_KEY, provider);
after(async () => {
  provider.destroy();
  await websocket.destroy();
});

const factory = new ethers.ContractFactory(abi, bytecode, wallet);
const deploy = async (start) => (await factory.deploy(start)).waitForDeployment();
const mined = async (sending) => (await sending).wait();

test("the network and its fees are known", async () => {
  assert.equal((await provider.getNetwork()).chainId, BigInt(CHAIN_ID));
  // Where the base fee is 0 ethers offers no more than a price.
  assert.ok((await provider.getFeeData()).gasPrice > 0n);
  assert.ok(BigInt(await provider.send("eth_maxPriorityFeePerGas", [])) > 0n);
  assert.ok((await provider.getBlockNumber()) >= 0);
  await assert.rejects(provider.send("eth_noSuchMethod", []), { code: "UNSUPPORTED_OPERATION" });
});

test("transfers of types 0, 1 and 2 are in blocks", async () => {
  const bob = ethers.Wallet.createRandom().address;
  for (const type of [0, 1, 2]) {
    const receipt = await mined(wallet.sendTransaction({ to: bob, value: 3n, type }));
    assert.deepEqual([receipt.status, receipt.type, receipt.from], [1, type, wallet.address]);
    const block = await provider.getBlock(receipt.blockHash, true);
    assert.equal(block.prefetchedTransactions[receipt.index].hash, receipt.hash);
    assert.equal(await provider.getBalance(bob, receipt.blockNumber - 1), 3n * BigInt(type));
  }
  assert.equal(await provider.getBalance(bob), 9n);
});

test("refusals are recognised", async () => {
  const poor = ethers.Wallet.createRandom().connect(provider);
  await assert.rejects(poor.sendTransaction({ to: wallet.address, value: 1n }), { code: "INSUFFICIENT_FUNDS" });
  const { nonce } = await mined(wallet.sendTransaction({ to: wallet.address })).then((it) => it.getTransaction());
  const gasLimit = 21_000n;
  await assert.rejects(wallet.sendTransaction({ to: wallet.address, nonce, gasLimit }), { code: "NONCE_EXPIRED" });
  await assert.rejects(provider.getLogs({ fromBlock: 5, toBlock: 1 }), /-32602|invalid block range/);
});

test("a contract is deployed, written and read, now and then", async () => {
  const counter = await deploy(5);
  const deployed = await counter.deploymentTransaction().wait();
  assert.equal(deployed.contractAddress, await counter.getAddress());
  const written = await mined(counter.set(42));
  assert.equal(await counter.number(), 42n);
  assert.equal(await counter.number({ blockTag: deployed.blockNumber }), 5n);
  assert.equal(await provider.getStorage(counter, 0), ethers.toBeHex(42, 32));
  assert.deepEqual([...counter.interface.parseLog(written.logs[0]).args], [wallet.address, 42n]);
  assert.ok((await counter.increment.estimateGas()) > 21_000n);
});

test("a revert tells its reason, its error and its arguments", async () => {
  const counter = await deploy(0);
  await assert.rejects(counter.set.staticCall(13), { code: "CALL_EXCEPTION", reason: "13 brings bad luck" });
  await assert.rejects(counter.set.estimateGas(13), { code: "CALL_EXCEPTION", reason: "13 brings bad luck" });
  await assert.rejects(counter.set.staticCall(2_000_000), (error) => {
    assert.deepEqual([error.revert.name, ...error.revert.args], ["TooLarge", 2_000_000n, 1_000_000n]);
    return true;
  });
  await assert.rejects(mined(counter.set(13, { gasLimit: 100_000 })), (error) => {
    assert.deepEqual([error.code, error.receipt.status], ["CALL_EXCEPTION", 0]);
    return true;
  });
});

test("events are found, polled for and pushed", async () => {
  const counter = await deploy(1);
  const pushed = new Promise((resolve) => {
    const listener = counter.connect(websocket);
    listener.on("Changed", (by, number) => number === 8n && resolve([by, number]));
  });
  const polled = new Promise((resolve) => counter.once(counter.filters.Changed(wallet.address), ({ args }) => resolve(args.number)));
  // What is asked later on a connection is answered later: the subscription is there.
  await websocket.getBlockNumber();
  await mined(counter.set(8));
  assert.deepEqual(await pushed, [wallet.address, 8n]);
  assert.equal(await polled, 8n);
  const found = await counter.queryFilter(counter.filters.Changed(wallet.address), 0);
  assert.deepEqual(found.map((event) => event.args.number), [1n, 8n]);
});

test("blocks are pushed in order", async () => {
  const numbers = [];
  const enough = new Promise((resolve) => websocket.on("block", (number) => numbers.push(number) >= 4 && resolve()));
  while (numbers.length < 4) await mined(wallet.sendTransaction({ to: wallet.address }));
  await enough;
  await websocket.off("block");
  numbers.slice(1).forEach((number, i) => assert.equal(number, numbers[i] + 1));
});

test("many requests go as one batch, and many transactions one after another", async () => {
  const balances = await Promise.all(Array.from({ length: 100 }, () => provider.getBalance(wallet)));
  assert.equal(new Set(balances).size, 1);
  const signer = new ethers.NonceManager(wallet);
  const sent = [];
  for (let i = 0; i < 20; i++) sent.push(await signer.sendTransaction({ to: wallet.address }));
  const receipts = await Promise.all(sent.map((it) => it.wait()));
  assert.ok(receipts.every((it) => it.status === 1));
});

test("an account is delegated to a contract (EIP-7702)", async () => {
  const counter = await deploy(0);
  const delegate = ethers.Wallet.createRandom();
  const chainId = BigInt(CHAIN_ID);
  const authorization = delegate.authorizeSync({ address: await counter.getAddress(), nonce: 0, chainId });
  const data = counter.interface.encodeFunctionData("set", [11]);
  const sending = wallet.sendTransaction({ type: 4, to: delegate.address, data, authorizationList: [authorization] });
  assert.equal((await mined(sending)).status, 1);
  assert.equal(await counter.attach(delegate.address).number(), 11n);
  assert.equal(await counter.number(), 0n);
});
