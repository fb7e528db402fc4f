// Deploys a contract, writes it, reads it, and follows its events over restarts of the node.
import { readFileSync } from "node:fs";
import { Client } from "rpc-websockets";
import { type Abi, type Address, type Hex, createWalletClient, decodeEventLog, http, isAddress, publicActions } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const {
  RPC_URL = "http://127.0.0.1:20200",
  WS_URL = "ws://127.0.0.1:20200",
  PRIVATE_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
} = process.env;
const artifact = new URL("../contracts/build/Counter.json", import.meta.url);
const { abi, bytecode }: { abi: Abi; bytecode: Hex } = JSON.parse(readFileSync(artifact, "utf8"));

const account = privateKeyToAccount(PRIVATE_KEY as Hex);
// A block comes within 50 ms of a transaction: ask that often.
const client = createWalletClient({ account, transport: http(RPC_URL), pollingInterval: 50 }).extend(publicActions);

async function deploy() {
  const hash = await client.deployContract({ abi, bytecode, args: [0n], chain: null });
  const { contractAddress } = await client.waitForTransactionReceipt({ hash });
  console.log(contractAddress);
}

async function write(address: Address, number: bigint) {
  // A revert is an error here, with its reason.
  const { request } = await client.simulateContract({ address, abi, functionName: "set", args: [number] });
  const hash = await client.writeContract({ ...request, chain: null });
  const { blockNumber } = await client.waitForTransactionReceipt({ hash });
  console.log(`block ${blockNumber} has ${hash}`);
}

async function read(address: Address) {
  console.log(String(await client.readContract({ address, abi, functionName: "number" })));
}

/** What `quorate_subscribe` sends. */
interface Change {
  result: { log: { topics: [Hex, ...Hex[]]; data: Hex }; cursor: Hex };
}

function follow(address: Address) {
  const request: Record<string, unknown> = { filter: { address }, fromBlock: "earliest" };
  const socket = new Client(WS_URL, { max_reconnects: 0 });
  socket.on("open", () => socket.call("quorate_subscribe", ["logs", request]));
  socket.on("close", () => console.error("the connection is lost; connecting again"));
  socket.on("error", (error) => console.error(error.message));
  socket.on("quorate_subscription", ({ result: { log, cursor } }: Change) => {
    const { by, number } = decodeEventLog({ abi, ...log }).args as unknown as { by: Address; number: bigint };
    console.log(`${number} by ${by}`);
    // An application keeps it with what it has made of the event, and so goes on after its own restart too.
    request.cursor = cursor;
  });
}

const [command, address, number] = process.argv.slice(2);
if (command === "deploy") await deploy();
else if (command === "write" && isAddress(address) && number) await write(address, BigInt(number));
else if (command === "read" && isAddress(address)) await read(address);
else if (command === "follow" && isAddress(address)) follow(address);
else {
  console.error("usage: deploy | write ADDRESS NUMBER | read ADDRESS | follow ADDRESS");
  process.exitCode = 2;
}
