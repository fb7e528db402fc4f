"""Deploys a contract, writes it, reads it, and follows its events over restarts of the node."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from eth_account import Account
from web3 import Web3
from web3.middleware import SignAndSendRawMiddlewareBuilder
from websockets import ConnectionClosed
from websockets.asyncio.client import connect

RPC_URL = os.environ.get("RPC_URL", "http://127.0.0.1:20200")
WS_URL = os.environ.get("WS_URL", "ws://127.0.0.1:20200")
PRIVATE_KEY = os.environ.get("PRIVATE_KEY", "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
COUNTER = json.loads((Path(__file__).parent / "../contracts/build/Counter.json").read_text())


def connected() -> Web3:
    """A client that signs with the key."""
    account = Account.from_key(PRIVATE_KEY)
    w3 = Web3(Web3.HTTPProvider(RPC_URL))
    w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    w3.eth.default_account = account.address
    return w3


def deploy() -> None:
    w3 = connected()
    sent = w3.eth.contract(abi=COUNTER["abi"], bytecode=COUNTER["bytecode"]).constructor(0).transact()
    print(w3.eth.wait_for_transaction_receipt(sent).contractAddress)


def write(address: str, number: int) -> None:
    w3 = connected()
    # It estimates first: a revert is an error here, with its reason.
    sent = w3.eth.contract(address, abi=COUNTER["abi"]).functions.set(number).transact()
    receipt = w3.eth.wait_for_transaction_receipt(sent)
    print(f"block {receipt.blockNumber} has {receipt.transactionHash.to_0x_hex()}")


def read(address: str) -> None:
    print(connected().eth.contract(address, abi=COUNTER["abi"]).functions.number().call())


async def follow(address: str) -> None:
    request = {"filter": {"address": address}, "fromBlock": "earliest"}
    # An iterator of connections: when one is lost comes the next, later and later.
    async for connection in connect(WS_URL):
        try:
            call = {"jsonrpc": "2.0", "id": 1, "method": "quorate_subscribe", "params": ["logs", request]}
            await connection.send(json.dumps(call))
            async for message in connection:
                message = json.loads(message)
                if "error" in message:
                    sys.exit(message["error"]["message"])
                if message.get("method") == "quorate_subscription":
                    event = message["params"]["result"]
                    number = Web3.to_int(hexstr=event["log"]["data"])
                    by = Web3.to_checksum_address(event["log"]["topics"][1][-40:])
                    print(f"{number} by {by}", flush=True)
                    # An application keeps it with what it has made of the event, and so goes on after its own restart too.
                    request["cursor"] = event["cursor"]
        except ConnectionClosed as lost:
            print(f"{lost}; connecting again", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("deploy")
    for name in ("write", "read", "follow"):
        command = commands.add_parser(name)
        command.add_argument("address", type=Web3.to_checksum_address)
        if name == "write":
            command.add_argument("number", type=int)
    arguments = parser.parse_args()
    match arguments.command:
        case "deploy":
            deploy()
        case "write":
            write(arguments.address, arguments.number)
        case "read":
            read(arguments.address)
        case "follow":
            asyncio.run(follow(arguments.address))


if __name__ == "__main__":
    main()
