import mochaEthers from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { defineConfig } from "hardhat/config";

export default defineConfig({
  plugins: [mochaEthers],
  // The compiler of npm, so that nothing else is downloaded.
  solidity: { version: "0.8.37", path: `${import.meta.dirname}/node_modules/solc/soljson.js` },
  // A block is final once it is there.
  ignition: { requiredConfirmations: 1 },
  networks: {
    quorate: { type: "http", chainType: "l1", url: process.env.RPC_URL!, accounts: [process.env.PRIVATE_KEY!] },
  },
});
