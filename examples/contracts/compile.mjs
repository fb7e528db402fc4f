// Compiles every contract here to build/NAME.json (abi and bytecode) and, for abigen, build/NAME.abi and .bin.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import solc from "solc";

const here = new URL(".", import.meta.url);
const files = readdirSync(here).filter((name) => name.endsWith(".sol"));
const input = {
  language: "Solidity",
  sources: Object.fromEntries(files.map((name) => [name, { content: readFileSync(new URL(name, here), "utf8") }])),
  settings: {
    optimizer: { enabled: true },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const problems = output.errors ?? [];
problems.forEach((problem) => console.error(problem.formattedMessage));
if (problems.some((problem) => problem.severity === "error")) process.exit(1);

mkdirSync(new URL("build/", here), { recursive: true });
for (const contracts of Object.values(output.contracts)) {
  for (const [name, { abi, evm }] of Object.entries(contracts)) {
    const write = (ending, text) => writeFileSync(new URL(`build/${name}.${ending}`, here), text);
    write("json", JSON.stringify({ abi, bytecode: `0x${evm.bytecode.object}` }, null, 2));
    write("abi", JSON.stringify(abi));
    write("bin", evm.bytecode.object);
  }
}
