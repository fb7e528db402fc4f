// Compiles Load.sol to the code that is deployed: one .hex file for each contract.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(new URL("../../examples/contracts/package.json", import.meta.url))("solc");
const sources = { "Load.sol": { content: readFileSync(new URL("Load.sol", import.meta.url), "utf8") } };
const settings = { optimizer: { enabled: true }, outputSelection: { "*": { "*": ["evm.bytecode.object"] } } };
const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings })));
for (const { severity, formattedMessage } of output.errors ?? []) {
  if (severity === "error") throw new Error(formattedMessage);
}
for (const [name, contract] of Object.entries(output.contracts["Load.sol"])) {
  writeFileSync(new URL(`${name}.hex`, import.meta.url), `${contract.evm.bytecode.object}\n`);
}
