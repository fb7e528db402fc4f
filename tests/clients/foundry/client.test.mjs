// A developer with foundry: cast asks and sends, forge builds, deploys, and tests on a fork.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const { RPC_URL, CHAIN_ID, PRIVATE_KEY } = process.env;
const run = promisify(execFile);
const online = ["--rpc-url", RPC_URL];
const signing = [...online, "--private-key", PRIVATE_KEY];

const cast = async (...args) => (await run("cast", args)).stdout.trim();
const ask = (command, ...args) => cast(command, ...args, ...online);
const send = async (...args) => JSON.parse(await cast("send", ...args, ...signing, "--json"));
const forge = async (args, env = {}) => (await run("forge", args, { env: { ...process.env, ...env } })).stdout;

const me = await cast("wallet", "address", PRIVATE_KEY);
const bob = JSON.parse(await cast("wallet", "new", "--json"))[0].address;
let box;

test("cast knows the chain", async () => {
  assert.equal(await ask("chain-id"), CHAIN_ID);
  assert.match(await ask("client"), /^quorate\//i);
  assert.ok(BigInt(await ask("gas-price")) > 0n);
  const head = await ask("block-number");
  const block = JSON.parse(await ask("block", head, "--json"));
  assert.equal(BigInt(block.number), BigInt(head));
  assert.equal(await ask("rpc", "eth_chainId"), `"0x${Number(CHAIN_ID).toString(16)}"`);
});

test("cast sends transfers of types 0 and 2", async () => {
  for (const [type, options] of [["0x0", ["--legacy"]], ["0x2", []]]) {
    const receipt = await send(bob, "--value", "3", ...options);
    assert.deepEqual([receipt.status, receipt.type], ["0x1", type]);
    assert.equal(await ask("receipt", receipt.transactionHash, "status"), "true");
    assert.equal((await ask("tx", receipt.transactionHash, "from")).toLowerCase(), me.toLowerCase());
  }
  assert.equal(await ask("balance", bob), "6");
  await assert.rejects(send(bob, "--nonce", "0"), /nonce too low/);
});

test("forge creates a contract, cast writes and reads it", async () => {
  const created = JSON.parse(await forge(["create", "src/Box.sol:Box", ...signing, "--broadcast", "--json"]));
  box = created.deployedTo;
  assert.notEqual(await ask("code", box), "0x");
  await send(box, "store(uint256)", "42");
  assert.equal(await ask("call", box, "value()(uint256)"), "42");
  assert.equal(BigInt(await ask("storage", box, "0")), 42n);
  assert.ok(BigInt(await ask("estimate", box, "store(uint256)", "1", "--from", me)) > 21_000n);
  const logs = JSON.parse(await ask("logs", "--address", box, "--from-block", "0", "Stored(address indexed,uint256)", "--json"));
  assert.equal(BigInt(logs[0].data), 42n);
  const proof = JSON.parse(await ask("proof", box, "0"));
  assert.equal(BigInt(proof.storageProof[0].value), 42n);
  await assert.rejects(ask("call", box, "store(uint256)", "1", "--from", bob), /NotOwner|execution reverted/);
});

test("cast replays a transaction and makes an access list", async () => {
  const { transactionHash } = await send(box, "store(uint256)", "42");
  assert.match(await ask("run", transactionHash, "--quick"), /Transaction successfully executed/);
  assert.match(await ask("access-list", box, "value()"), new RegExp(box.slice(2), "i"));
});

test("forge tests on a fork of the chain", async () => {
  const output = await forge(["test", "--fork-url", RPC_URL], { BOX: box });
  assert.match(output, /3 passed; 0 failed/);
});

test("a script of forge deploys and writes", async () => {
  const output = await forge(["script", "script/Deploy.s.sol", ...online, "--broadcast", "--slow"]);
  assert.match(output, /ONCHAIN EXECUTION COMPLETE & SUCCESSFUL/);
  const [, deployed] = output.match(/contract Box (0x[0-9a-fA-F]{40})/);
  assert.equal(await ask("call", deployed, "value()(uint256)"), "5");
});
